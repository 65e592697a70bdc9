//! What HTTP/2 makes of header fields, in bytes: a sender that keeps a table of what it has said
//! before and says only where it is (RFC 7541).
//!
//! ```text
//!                                first poll              the next
//! :method: GET                        1   in the table      1
//! :scheme: http                       1   in the table      1
//! :authority: 127.0.0.1:8080         13   joins it          1
//! :path: /poll?after=3               12   never joins      12
//! accept: */*                         4   joins it          1
//!                                    31                    16
//! ```
//!
//! RFC 7541 leaves to the sender what joins the table. Modelled is the `h2` crate, which the lab's
//! servers and clients use:
//!
//! - all that the tables hold is said by its place, one byte as a rule (section 6.1);
//! - `:path`, `age`, `authorization`, `content-length`, `cookie`, `etag`, `if-modified-since`,
//!   `if-none-match`, `location` and `set-cookie` are literals that never join (section 6.2.2), as they
//!   change, or as section 7.1 advises; so is what would fill more than three quarters of the table;
//! - all else joins (section 6.2.1), and the oldest entries leave to make room (section 4.4);
//! - a name that either table has is said by its place, the static table's first;
//! - a second value of the same field never joins, and says its name by the first's place;
//! - names and values are Huffman coded, even where that makes them longer (section 5.2).
//!
//! No value here is marked as sensitive, which would keep it out of the table.

#[cfg(test)]
mod tests;

use httlib_hpack::table::Table;
use httlib_huffman::encoder::table::ENCODE_TABLE;

/// The client's first bytes (RFC 9113, section 3.4).
pub const PREFACE: u64 = 24;

/// A frame's header (RFC 9113, section 4.1).
pub const FRAME: u64 = 9;

/// SETTINGS that acknowledge the other side's (RFC 9113, section 6.5).
pub const SETTINGS_ACK: u64 = FRAME;

/// WINDOW_UPDATE (RFC 9113, section 6.9).
pub const WINDOW_UPDATE: u64 = FRAME + 4;

/// RST_STREAM (RFC 9113, section 6.4).
pub const RST_STREAM: u64 = FRAME + 4;

/// PING, and its answer (RFC 9113, section 6.7).
pub const PING: u64 = FRAME + 8;

/// GOAWAY without debug data (RFC 9113, section 6.8).
pub const GOAWAY: u64 = FRAME + 8;

/// SETTINGS that set `n` values (RFC 9113, section 6.5.1): two bytes of name and four of value each.
pub const fn settings(n: u64) -> u64 {
    FRAME + 6 * n
}

/// The largest payload that a side sends which was not told that it may send more (RFC 9113, section
/// 4.2).
pub const MAX_FRAME: u64 = 16_384;

/// HEADERS with a header block, and as many CONTINUATIONs as it takes (RFC 9113, sections 6.2 and
/// 6.10).
pub fn headers(block: u64) -> u64 {
    FRAME * block.div_ceil(MAX_FRAME).max(1) + block
}

/// What DATA frames add to `n` bytes of content that are at hand at once (RFC 9113, section 6.1).
pub fn data_framing(n: u64) -> u64 {
    FRAME * n.div_ceil(MAX_FRAME)
}

/// The size of a table of which the reader said nothing (RFC 9113, section 6.5.2), and the largest that
/// the `h2` crate keeps.
const TABLE: u32 = 4096;

/// Where the dynamic table begins (RFC 7541, section 2.3.3).
const DYNAMIC: u32 = 62;

/// What an entry counts besides name and value (RFC 7541, section 4.1).
const ENTRY: usize = 32;

/// What never joins the table.
const NEVER: &[&str] = &[
    ":path",
    "age",
    "authorization",
    "content-length",
    "cookie",
    "etag",
    "if-modified-since",
    "if-none-match",
    "location",
    "set-cookie",
];

/// The `h2` crate's encoder, as far as lengths go: one direction of one connection.
#[derive(Debug)]
pub struct Encoder {
    table: Table<'static>,
    /// The reader's wish for another table, which the next block grants.
    resize: Option<u32>,
}

/// How a field is found in the tables.
#[derive(Clone, Copy)]
enum Place {
    /// Name and value.
    Field(u32),
    Name(u32),
    Nowhere,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// A connection whose reader keeps a table of the usual size.
    pub fn new() -> Encoder {
        Encoder {
            table: Table::with_dynamic_size(TABLE),
            resize: None,
        }
    }

    /// A connection whose reader's SETTINGS_HEADER_TABLE_SIZE came before the first block.
    pub fn with_table(size: u32) -> Encoder {
        Encoder {
            resize: Some(size.min(TABLE)).filter(|size| *size != TABLE),
            ..Encoder::new()
        }
    }

    /// How long the next header block is: these fields, names in lower case, in the order in which
    /// they are sent. Of a request that is `:method`, `:scheme`, `:authority`, `:path`, `:protocol`, of
    /// a response `:status`, and then the others, the values of one name together.
    pub fn block_len<'a>(&mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> u64 {
        let mut len = 0;
        if let Some(size) = self.resize.take() {
            self.table.update_max_dynamic_size(size);
            len += integer(size.into(), 5);
        }
        let mut last = ("", Place::Nowhere);
        for (name, value) in fields {
            if name == last.0 {
                len += literal(last.1, 4, name, value);
            } else {
                let (n, place) = self.field(name, value);
                len += n;
                last = (name, place);
            }
        }
        len
    }

    /// A field's length, and where its name is found behind it.
    fn field(&mut self, name: &str, value: &str) -> (u64, Place) {
        let known = self.find(name, value, 1..DYNAMIC);
        if let Place::Field(index) = known {
            return (integer(index.into(), 7), known);
        }
        let size = name.len() + value.len() + ENTRY;
        let large = size * 4 > self.table.max_dynamic_size() as usize * 3;
        if large || NEVER.contains(&name) {
            return (literal(known, 4, name, value), known);
        }
        let said = self.find(name, value, DYNAMIC..self.table.len() as u32 + 1);
        if let Place::Field(index) = said {
            return (integer(index.into(), 7), said);
        }
        let place = match known {
            Place::Nowhere => said,
            known => known,
        };
        self.table.insert(name.into(), value.into());
        (literal(place, 6, name, value), Place::Name(DYNAMIC))
    }

    /// Looks a field up at these places.
    fn find(&self, name: &str, value: &str, places: std::ops::Range<u32>) -> Place {
        let mut found = Place::Nowhere;
        for index in places {
            match self.table.get(index) {
                // The static table has names without values, which stand for no empty value.
                Some((n, v)) if n == name.as_bytes() && v == value.as_bytes() && !fills_in(index, v) => {
                    return Place::Field(index);
                }
                Some((n, _)) if n == name.as_bytes() && matches!(found, Place::Nowhere) => {
                    found = Place::Name(index);
                }
                _ => {}
            }
        }
        found
    }
}

/// Whether the static table has no value here, but only a name.
fn fills_in(index: u32, value: &[u8]) -> bool {
    index < DYNAMIC && value.is_empty()
}

/// A literal whose first number has so many bits in the first byte (RFC 7541, section 6.2).
fn literal(name_at: Place, prefix: u32, name: &str, value: &str) -> u64 {
    let name = match name_at {
        Place::Field(index) | Place::Name(index) => integer(index.into(), prefix),
        Place::Nowhere => 1 + string(name),
    };
    name + string(value)
}

/// A number of which the first byte has room for `prefix` bits (RFC 7541, section 5.1).
fn integer(number: u64, prefix: u32) -> u64 {
    let full = (1 << prefix) - 1;
    match number.checked_sub(full) {
        None => 1,
        Some(rest) => 2 + u64::from(rest.max(1).ilog2() / 7),
    }
}

/// A string in the Huffman code (RFC 7541, section 5.2 and appendix B), with its length.
fn string(text: &str) -> u64 {
    static CODES: [(u8, u32); 257] = ENCODE_TABLE;
    let bits: u64 = text.bytes().map(|b| u64::from(CODES[usize::from(b)].0)).sum();
    let bytes = bits.div_ceil(8);
    integer(bytes, 7) + bytes
}
