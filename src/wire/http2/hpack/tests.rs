//! Tests of header blocks.

use proptest::prelude::*;

use super::Representation::*;
use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let byte = |d: &[u32]| (d[0] << 4 | d[1]) as u8;
    digits.chunks(2).map(byte).collect()
}

/// Blocks of one direction, each with its fields, their lengths and representations, and the size of the
/// table after it.
type Block<'a> = (&'a str, &'a [(&'a str, &'a str, usize, Representation)], u32);

fn check(mut hpack: Hpack, blocks: &[Block<'_>]) {
    for (block, expected, table) in blocks {
        let block = hex(block);
        let fields = hpack.fields(&block).unwrap();
        let read: Vec<_> = fields
            .iter()
            .map(|f| {
                let text = |b| std::str::from_utf8(b).unwrap();
                (text(&f.name), text(&f.value), f.len, f.representation)
            })
            .collect();
        assert_eq!(read, *expected);
        assert_eq!(fields.iter().map(|f| f.len).sum::<usize>(), block.len());
        assert_eq!(hpack.table.dynamic_size(), *table);
    }
}

const GET: (&str, &str, usize, Representation) = (":method", "GET", 1, Indexed(2));
const HTTP: (&str, &str, usize, Representation) = (":scheme", "http", 1, Indexed(6));
const ROOT: (&str, &str, usize, Representation) = (":path", "/", 1, Indexed(4));

/// RFC 7541, appendices C.3 and C.4: the same requests without and with the Huffman code.
#[test]
fn requests() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for (blocks, lens) in [(plain, [17, 10, 25]), (coded, [14, 8, 20])] {
        let first = (":authority", "www.example.com", lens[0], Incremental(1));
        let second = ("cache-control", "no-cache", lens[1], Incremental(24));
        let third = ("custom-key", "custom-value", lens[2], Incremental(0));
        let known = |index| (":authority", "www.example.com", 1, Indexed(index));
        let https = (":scheme", "https", 1, Indexed(7));
        let index = (":path", "/index.html", 1, Indexed(5));
        let expected: [Block<'_>; 3] = [
            (blocks[0], &[GET, HTTP, ROOT, first], 57),
            (blocks[1], &[GET, HTTP, ROOT, known(62), second], 110),
            (blocks[2], &[GET, https, index, known(63), third], 164),
        ];
        check(Hpack::new(), &expected);
    }
}

/// RFC 7541, appendices C.5 and C.6: responses, with a table of 256 bytes that drops entries.
#[test]
fn responses_and_eviction() {
    let plain = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
         2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
         6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
         54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
         5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
         3d31",
    ];
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
         9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let (early, late) = ("Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT");
    let place = "https://www.example.com";
    let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    for (blocks, lens) in [
        (plain, [5, 9, 31, 25, 5, 31, 6, 58]),
        (coded, [4, 7, 24, 19, 5, 24, 5, 47]),
    ] {
        let expected: [Block<'_>; 3] = [
            (
                blocks[0],
                &[
                    (":status", "302", lens[0], Incremental(8)),
                    ("cache-control", "private", lens[1], Incremental(24)),
                    ("date", early, lens[2], Incremental(33)),
                    ("location", place, lens[3], Incremental(46)),
                ],
                222,
            ),
            (
                blocks[1],
                &[
                    (":status", "307", lens[4], Incremental(8)),
                    ("cache-control", "private", 1, Indexed(65)),
                    ("date", early, 1, Indexed(64)),
                    ("location", place, 1, Indexed(63)),
                ],
                222,
            ),
            (
                blocks[2],
                &[
                    (":status", "200", 1, Indexed(8)),
                    ("cache-control", "private", 1, Indexed(65)),
                    ("date", late, lens[5], Incremental(33)),
                    ("location", place, 1, Indexed(64)),
                    ("content-encoding", "gzip", lens[6], Incremental(26)),
                    ("set-cookie", cookie, lens[7], Incremental(55)),
                ],
                215,
            ),
        ];
        let mut hpack = Hpack::new();
        hpack.table.update_max_dynamic_size(256);
        check(hpack, &expected);
    }
}

/// RFC 7541, appendix C.2, and section 4.2 for the last one.
#[test]
fn representations() {
    let blocks: [Block<'_>; 5] = [
        (
            "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            &[("custom-key", "custom-header", 26, Incremental(0))],
            55,
        ),
        (
            "040c 2f73 616d 706c 652f 7061 7468",
            &[(":path", "/sample/path", 14, WithoutIndexing(4))],
            55,
        ),
        (
            "1008 7061 7373 776f 7264 0673 6563 7265 74",
            &[("password", "secret", 17, NeverIndexed(0))],
            55,
        ),
        ("82", &[GET], 55),
        (
            "20 3fe11f 82",
            &[("", "", 1, SizeUpdate(0)), ("", "", 3, SizeUpdate(4096)), GET],
            0,
        ),
    ];
    check(Hpack::new(), &blocks);
}

#[test]
fn blocks_nobody_can_read() {
    let bomb = [&[0x40, 1, b'x', 0x7F, 0xA1, 0x1E][..], &[b'y'; 4000], &[0xBE; 70]].concat();
    for (block, error) in [
        (&[0x80][..], HpackError::Index),
        (&[0xBE], HpackError::Index),
        (&[0x7E, 0], HpackError::Index),
        (&[0xFF], HpackError::Truncated),
        (&[0x40], HpackError::Truncated),
        (&[0x40, 5, b'x'], HpackError::Truncated),
        (&[0x40, 1, b'x'], HpackError::Truncated),
        (&[0xFF, 0x80, 0x80, 0x80, 0x80, 0x10], HpackError::Integer),
        (&[0xFF, 0x80, 0x80, 0x80, 0x80, 0x80, 0], HpackError::Integer),
        (&[0x3F, 0xE2, 0x1F], HpackError::SizeUpdate),
        (&[0x82, 0x20], HpackError::SizeUpdate),
        // Zeros and a whole byte of ones are not valid padding, and EOS is not a character.
        (&[0x41, 0x81, 0x18], HpackError::Huffman),
        (&[0x41, 0x82, 0x1F, 0xFF], HpackError::Huffman),
        (&[0x41, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], HpackError::Huffman),
        (&bomb, HpackError::List),
    ] {
        assert_eq!(Hpack::new().fields(block), Err(error), "{block:x?}");
    }
    // The largest number that fits.
    assert_eq!(
        Reader(&[0x1F, 0xE0, 0xFF, 0xFF, 0xFF, 0x0F]).integer(5),
        Ok(u32::MAX)
    );
    // RFC 7541, appendix C.1.2.
    assert_eq!(Reader(&[0x1F, 0x9A, 0x0A]).integer(5), Ok(1337));
}

#[test]
fn a_table_grows_as_far_as_the_reader_allows() {
    let mut hpack = Hpack::new();
    hpack.allow(65_536);
    hpack.allow(0);
    hpack.fields(&hex("3fe1ff03")).unwrap();
    assert_eq!(hpack.table.max_dynamic_size(), 65_536);
    assert_eq!(hpack.fields(&hex("3fe2ff03")), Err(HpackError::SizeUpdate));
    hpack.allow(u32::MAX);
    hpack.fields(&hex("3fe1ff3f")).unwrap();
    assert_eq!(hpack.fields(&hex("3fe2ff3f")), Err(HpackError::SizeUpdate));
}

proptest! {
    /// A string has only one encoding, so decoding must be the inverse of encoding.
    #[test]
    fn a_huffman_code_is_read_as_it_is_written(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let mut coded = Vec::new();
        httlib_huffman::encode(&bytes, &mut coded).unwrap();
        prop_assert_eq!(huffman(&coded), Ok(bytes.clone()));
        if let Ok(text) = huffman(&bytes) {
            let mut again = Vec::new();
            httlib_huffman::encode(&text, &mut again).unwrap();
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn any_block_is_read_or_refused(blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8)) {
        let mut hpack = Hpack::new();
        for block in blocks {
            if let Ok(fields) = hpack.fields(&block) {
                prop_assert_eq!(fields.iter().map(|f| f.len).sum::<usize>(), block.len());
            }
        }
    }
}
