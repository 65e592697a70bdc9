//! HPACK header blocks (RFC 7541): fields as literals, or as indices into tables that sender and receiver
//! keep identical.
//!
//! ```text
//! 1iiiiiii                    a field from the tables
//! 01iiiiii [name] value       a literal that is added to the table
//! 001sssss                    the table's new size
//! 0001iiii [name] value       a literal that must never be added to a table
//! 0000iiii [name] value       a literal that is not added
//! ```
//!
//! Where `i` is 0 the name is a literal, otherwise it is in the tables. A number that does not fit its prefix
//! continues in further bytes (section 5.1). The static table and the Huffman code come from a library; no
//! library reports which representation a sender chose, which the labels need.

use std::sync::LazyLock;

use httlib_hpack::table::Table;
use httlib_huffman::encoder::table::ENCODE_TABLE;

/// The initial size of a dynamic table (RFC 9113, section 6.5.2).
const DEFAULT_TABLE: u32 = 4096;

/// The largest dynamic table, whatever the settings allow.
const MAX_TABLE: u32 = 1024 * 1024;

/// The largest field list that a block may decode to, counted like SETTINGS_MAX_HEADER_LIST_SIZE.
const MAX_LIST: usize = 256 * 1024;

/// The size of a field in the table and the list, in addition to its name and value (section 4.1).
const ENTRY: usize = 32;

/// The header blocks of one direction. All must be read, and in order, since each depends on the ones before.
#[derive(Debug)]
pub struct Hpack {
    table: Table<'static>,
    /// The largest table that the reader has allowed.
    allowed: u32,
}

/// A field of a header block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name in lower case; empty for a table size update.
    pub name: Vec<u8>,
    /// The value; empty for a table size update.
    pub value: Vec<u8>,
    /// Its encoded length, bytes.
    pub len: usize,
    /// How it is encoded.
    pub representation: Representation,
}

/// The representation of a field (section 6). The number of a literal is the index of its name in the tables,
/// or 0 if the name is a literal too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// Name and value are at this index of the tables.
    Indexed(u32),
    /// A literal that is added to the dynamic table.
    Incremental(u32),
    /// A literal.
    WithoutIndexing(u32),
    /// A literal that intermediaries must not index either, such as a secret.
    NeverIndexed(u32),
    /// Not a field, but the dynamic table's new size.
    SizeUpdate(u32),
}

/// Why a header block cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HpackError {
    /// It ends within a field.
    #[error("header block ends within a field")]
    Truncated,
    /// A number beyond 32 bits.
    #[error("oversized integer in a header block")]
    Integer,
    /// Bits that are no valid code, or invalid padding.
    #[error("malformed Huffman code")]
    Huffman,
    /// An index that is not in the tables.
    #[error("index outside the tables")]
    Index,
    /// A table larger than allowed, or a size update after a field.
    #[error("misplaced or oversized table size update")]
    SizeUpdate,
    /// More fields than any sender needs.
    #[error("oversized field list")]
    List,
}

impl Default for Hpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Hpack {
    /// A connection without any bytes yet.
    pub fn new() -> Hpack {
        Hpack {
            table: Table::with_dynamic_size(DEFAULT_TABLE),
            allowed: DEFAULT_TABLE,
        }
    }

    /// Applies the receiver's SETTINGS_HEADER_TABLE_SIZE: from now on the sender may use a table of up to
    /// that size. A smaller size takes effect when the sender confirms it.
    pub fn allow(&mut self, size: u32) {
        self.allowed = self.allowed.max(size.min(MAX_TABLE));
    }

    /// Reads a whole header block.
    ///
    /// # Errors
    /// [`HpackError`]; no later block of this direction can be read.
    pub fn fields(&mut self, block: &[u8]) -> Result<Vec<Field>, HpackError> {
        let mut reader = Reader(block);
        let mut fields: Vec<Field> = Vec::new();
        let mut size = 0;
        while !reader.0.is_empty() {
            let before = reader.0.len();
            let (name, value, representation) = self.field(&mut reader)?;
            if let Representation::SizeUpdate(_) = representation {
                let field = |f: &Field| !matches!(f.representation, Representation::SizeUpdate(_));
                if fields.last().is_some_and(field) {
                    return Err(HpackError::SizeUpdate);
                }
            }
            size += name.len() + value.len() + ENTRY;
            if size > MAX_LIST {
                return Err(HpackError::List);
            }
            fields.push(Field {
                name,
                value,
                len: before - reader.0.len(),
                representation,
            });
        }
        Ok(fields)
    }

    fn field(&mut self, reader: &mut Reader<'_>) -> Result<(Vec<u8>, Vec<u8>, Representation), HpackError> {
        let first = *reader.0.first().ok_or(HpackError::Truncated)?;
        match first.leading_zeros() {
            0 => {
                let index = reader.integer(7)?;
                let (name, value) = self.table.get(index).ok_or(HpackError::Index)?;
                Ok((name.to_vec(), value.to_vec(), Representation::Indexed(index)))
            }
            1 => {
                let (index, name, value) = self.literal(reader, 6)?;
                self.table.insert(name.clone(), value.clone());
                Ok((name, value, Representation::Incremental(index)))
            }
            2 => {
                let size = reader.integer(5)?;
                if size > self.allowed {
                    return Err(HpackError::SizeUpdate);
                }
                self.table.update_max_dynamic_size(size);
                Ok((Vec::new(), Vec::new(), Representation::SizeUpdate(size)))
            }
            zeros => {
                let (index, name, value) = self.literal(reader, 4)?;
                let representation = if zeros == 3 {
                    Representation::NeverIndexed(index)
                } else {
                    Representation::WithoutIndexing(index)
                };
                Ok((name, value, representation))
            }
        }
    }

    fn literal(&self, reader: &mut Reader<'_>, prefix: u32) -> Result<(u32, Vec<u8>, Vec<u8>), HpackError> {
        let index = reader.integer(prefix)?;
        let name = match index {
            0 => reader.string()?,
            _ => self.table.get(index).ok_or(HpackError::Index)?.0.to_vec(),
        };
        Ok((index, name, reader.string()?))
    }
}

/// The rest of a header block.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, HpackError> {
        let (&byte, rest) = self.0.split_first().ok_or(HpackError::Truncated)?;
        self.0 = rest;
        Ok(byte)
    }

    /// A number that begins in the last `prefix` bits of the next byte (section 5.1).
    fn integer(&mut self, prefix: u32) -> Result<u32, HpackError> {
        let full = (1 << prefix) - 1;
        let mut number = u64::from(self.byte()?) & full;
        if number < full {
            // It has less than eight bits.
            return Ok(number as u32);
        }
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number += u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).map_err(|_| HpackError::Integer);
            }
        }
        Err(HpackError::Integer)
    }

    /// A string, preceded by its length (section 5.2).
    fn string(&mut self) -> Result<Vec<u8>, HpackError> {
        let coded = self.0.first().is_some_and(|b| b & 0x80 != 0);
        let len = self.integer(7)? as usize;
        let (string, rest) = self.0.split_at_checked(len).ok_or(HpackError::Truncated)?;
        self.0 = rest;
        if coded {
            huffman(string)
        } else {
            Ok(string.to_vec())
        }
    }
}

/// The Huffman code (appendix B), sorted: each code at the left end of 32 bits, with its length and its
/// symbol; the last is EOS.
static CODES: LazyLock<Vec<(u32, u32, usize)>> = LazyLock::new(|| {
    let codes = ENCODE_TABLE.iter().enumerate();
    let mut codes: Vec<_> = codes
        .map(|(symbol, (len, code))| (code << (32 - u32::from(*len)), u32::from(*len), symbol))
        .collect();
    codes.sort_unstable();
    codes
});

/// Decodes a string. No code is a prefix of another, so the next code is the last one that is not greater
/// than the next bits.
fn huffman(string: &[u8]) -> Result<Vec<u8>, HpackError> {
    let codes = &*CODES;
    let mut bytes = string.iter();
    // A code has at least five bits.
    let mut out = Vec::with_capacity(string.len() * 8 / 5);
    let (mut bits, mut have) = (0u64, 0);
    loop {
        while have <= 32
            && let Some(byte) = bytes.next()
        {
            bits |= u64::from(*byte) << (56 - have);
            have += 8;
        }
        // Ones are appended at the end, since the padding is a prefix of EOS, which is all ones.
        let ahead = ((bits | u64::MAX >> have) >> 32) as u32;
        let (_, len, symbol) = codes[codes.partition_point(|(code, ..)| *code <= ahead) - 1];
        match u8::try_from(symbol) {
            Ok(byte) if len <= have => out.push(byte),
            Err(_) if have < 8 => return Ok(out),
            _ => return Err(HpackError::Huffman),
        }
        bits <<= len;
        have -= len;
    }
}

#[cfg(test)]
mod tests;
