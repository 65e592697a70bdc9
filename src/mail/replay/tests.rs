use std::fs::File;

use super::letter::MAX_PARTS;
use super::*;
use crate::mail::{Letter, MIN_SIZE};
use proptest::prelude::*;

const INBOX: &[u8] = include_bytes!("../../../demos/data/inbox.mbox");
const LIST: &[u8] = include_bytes!("../../../demos/data/r-help-2007-06-14.arrivals.csv");

/// Offsets in seconds, and the letters.
fn mbox(text: impl AsRef<[u8]>) -> Vec<(f64, Letter)> {
    let letters = parse_mbox(text.as_ref()).unwrap().letters.into_iter();
    let letter = |content| match content {
        Content::Letter(letter) => letter,
        Content::Size(n) => panic!("an mbox gave a size: {n}"),
    };
    letters
        .map(|(due, content)| (due.as_secs_f64(), letter(content)))
        .collect()
}

/// The letter of a message, as the only mail of an mbox.
fn one(message: impl AsRef<[u8]>) -> Letter {
    let all = mbox([b"From a@b  Thu Jun 14 00:07:29 2007\n", message.as_ref()].concat());
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].1.clone()
}

fn csv(text: impl AsRef<[u8]>) -> Vec<(f64, usize)> {
    let letters = parse_csv(text.as_ref()).unwrap().letters.into_iter();
    let size = |content| match content {
        Content::Size(n) => n,
        Content::Letter(letter) => panic!("a CSV gave a letter: {letter:?}"),
    };
    letters
        .map(|(due, content)| (due.as_secs_f64(), size(content)))
        .collect()
}

fn complaint<T>(result: anyhow::Result<T>) -> String {
    format!("{:#}", result.err().unwrap())
}

#[test]
fn the_shipped_inbox_shows_every_oddity() {
    let mails = mbox(INBOX);
    let at: Vec<_> = mails.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0.0, 1.0, 3.0, 4.0, 6.0, 7.0, 8.0, 10.0]);
    let letters: Vec<_> = mails.into_iter().map(|(_, letter)| letter).collect();
    assert_eq!(letters[0].from, "alerts at example.org (Disk watch)");
    assert!(letters[0].body.ends_with("\nFrom here on, one mail per percent."));
    assert!(letters[1].body.contains("\nFrom the log of step 3:\n"));
    assert_eq!(letters[2].from, "Café <canteen@example.edu>");
    assert_eq!(letters[2].subject, "Menü of the week");
    assert!(
        letters[2]
            .body
            .starts_with("Café & crème: the menu of the week costs 7 €, whether you eat here")
    );
    assert_eq!(letters[3].from, "도서관 <library@example.edu>");
    assert_eq!(letters[3].subject, "예약하신 책이 도착했습니다");
    assert_eq!(
        letters[3].body,
        "안녕하세요.\n\n예약하신 책이 도착했습니다. 일주일 안에 찾아가세요."
    );
    assert_eq!(letters[4].subject, "");
    assert_eq!(letters[5].body, "The same text, plain.");
    assert!(letters[6].body.ends_with("nor is this paragraph a header."));
    assert_eq!(letters[7].body, "That was all.");
}

#[test]
fn mail_parser_alone_would_split_at_sentences() {
    use mail_parser::mailbox::mbox::MessageIterator;
    assert_eq!(MessageIterator::new(INBOX).count(), 8 + 2);
}

#[test]
fn line_ends_make_no_difference() {
    let crlf = String::from_utf8_lossy(INBOX).replace('\n', "\r\n");
    assert_eq!(mbox(crlf), mbox(INBOX));
    let marked = [b"\xEF\xBB\xBF\r\n\n", INBOX].concat();
    assert_eq!(mbox(marked), mbox(INBOX));
}

/// Kind, count, and the first one's line and text.
type Odd = (OddityKind, u64, u64, String);

/// The subjects, and what was odd.
fn told(text: impl AsRef<[u8]>) -> (Vec<String>, Vec<Odd>) {
    let schedule = parse_mbox(text.as_ref()).unwrap();
    let odd = schedule.oddities.into_iter();
    let subjects = mbox(text).into_iter().map(|(_, letter)| letter.subject);
    (
        subjects.collect(),
        odd.map(|o| (o.kind, o.count, o.line, o.text)).collect(),
    )
}

fn mail_of(i: usize) -> String {
    format!("From: ann{i}@example.com\nSubject: s{i}\nDate: Thu, 14 Jun 2007 00:00:0{i} +0000\n\nbody {i}\n")
}

#[test]
fn separators_alone_and_mixed() {
    let separators = [
        "From \n",
        "From\n",
        "From -\n",
        "From - Thu Jun 14 00:00:00 2007\n",
        "From a@example.com Thu Jun 14 00:00:00 2007\n",
        "From user at example.com  Thu Jun 14 00:00:00 2007\n",
        "From a@example.com\n",
        "From a@example.com Thu Jun 14 00:00:61 2007\n",
        "From a@example.com 14 Jun 2007 00:00:00 GMT\n",
    ];
    for first in separators {
        for second in separators {
            for gap in ["\n", "", "\n\n", "\0\0\0\0", "\n\0\0\0\0\n"] {
                let text = [
                    first,
                    &mail_of(0),
                    gap,
                    second,
                    &mail_of(1),
                    gap,
                    first,
                    &mail_of(2),
                ]
                .concat();
                for text in [text.clone(), text.replace('\n', "\r\n"), text.replace('\n', "\r")] {
                    let mails = mbox(&text);
                    let seen: Vec<_> = mails.iter().map(|(at, l)| (*at, &*l.subject, &*l.body)).collect();
                    let expected = [
                        (0.0, "s0", "body 0"),
                        (1.0, "s1", "body 1"),
                        (2.0, "s2", "body 2"),
                    ];
                    assert_eq!(seen, expected, "{text:?}");
                    assert_eq!(told(text).1, []);
                }
            }
        }
    }
}

#[test]
fn a_block_of_nul_bytes_is_no_mail() {
    let nuls = "\0".repeat(4_096);
    let separator = "From a@example.com Thu Jun 14 00:00:00 2007\n";
    let text = [
        &nuls,
        separator,
        &mail_of(0),
        &nuls,
        separator,
        &mail_of(1),
        &nuls,
    ]
    .concat();
    let (subjects, odd) = told(&text);
    assert_eq!((subjects, odd), (vec!["s0".into(), "s1".into()], vec![]));
    assert!(mbox(&text).iter().all(|(_, l)| !l.body.contains('\0')));
}

#[test]
fn sentences_do_not_end_a_mail() {
    for sentence in [
        "From here on we count.\n",
        "From here on we meet at 12:30.\nSubject: to change\n",
        "From here on we have\nSubject: s9\nDate: Thu, 14 Jun 2007 00:00:00 +0000\n",
        "From the log of 2007-06-14 00:07:29\nError: the disk is full\n",
        "From Bob\nTo: Alice\n",
        "From -\nand so on\n",
        "From \nand so on\n",
        "From a@b\n\nTo: x\n",
        "From a@b Thu Jun 14 00:07:29 2007\n\nno field below\n",
        "From a@b Thu Jun 14 00:07:29 2007\nhttp //x\n",
        ">From a@b Thu Jun 14 00:07:29 2007\nTo: x\n",
        "Xfrom a@b Thu Jun 14 00:07:29 2007\nTo: x\n",
        " From a@b Thu Jun 14 00:07:29 2007\nTo: x\n",
        "From a@b Thu Jun 14 00:07:29 2007",
    ] {
        for before in ["", "\n", "before:\n", "before:\n\n"] {
            let body = format!("{before}{sentence}");
            let letter = one(format!("Subject: x\n\n{body}"));
            let unquoted = body.replace(">From", "From");
            assert_eq!(letter.body, unquoted.trim_end_matches('\n'), "{body:?}");
        }
    }
}

#[test]
fn what_was_left_in_the_text_is_told() {
    let text = [
        "From a@b Thu Jun 14 00:00:00 2007\n",
        &mail_of(0),
        "\nFrom Bob to all\nSubject: lost?\n\nFrom here on nothing is odd.\n\nFrom -\nno head\n\n",
        "From a@b Thu Jun 14 00:00:00 2007\n",
        &mail_of(1),
    ]
    .concat();
    let (subjects, odd) = told(text);
    assert_eq!(subjects, ["s0", "s1"]);
    let line = "From Bob to all".to_string();
    assert_eq!(odd, [(OddityKind::NotASeparator, 2, 8, line)]);
    let (subjects, odd) = told(format!("From me\n\nno head\n\nFrom -\n{}", mail_of(1)));
    assert_eq!(subjects, ["s1"]);
    assert_eq!(odd, [(OddityKind::NotASeparator, 1, 1, "From me".into())]);
    // The first line of a file is never part of a mail, whatever it says.
    assert_eq!(
        told(format!("From my old box\n{}", mail_of(1))),
        (vec!["s1".into()], vec![])
    );
}

#[test]
fn a_length_is_believed_if_it_ends_before_a_separator() {
    let separator = "From a@b Thu Jun 14 00:00:00 2007\n";
    let quoted = format!("look:\n\n{separator}{}\n>From whom\n", mail_of(9));
    let mail = |length: usize| {
        format!(
            "Content-Length: {length}\n{}",
            mail_of(0).replace("body 0\n", &quoted)
        )
    };
    for gap in ["", "\n", "\n\n"] {
        let text = [separator, &mail(quoted.len()), gap, "From -\n", &mail_of(1)].concat();
        let mails = mbox(&text);
        assert_eq!(mails.len(), 2, "{text}");
        assert_eq!(mails[0].1.body, quoted.trim_end());
        assert_eq!(mbox([separator, &mail(quoted.len()), gap].concat()).len(), 1);
    }
    for wrong in [0, 1, 7, quoted.len() - 2, quoted.len() + 2, 1 << 40, usize::MAX] {
        let text = [separator, &mail(wrong), "\nFrom -\n", &mail_of(1)].concat();
        let subjects = told(&text).0;
        assert_eq!(subjects, ["s0", "s1", "s9"], "{wrong}");
    }
    let text = [
        separator,
        "Content-Length: many\n",
        &mail_of(0),
        separator,
        &mail_of(1),
    ]
    .concat();
    assert_eq!(told(text).0, ["s0", "s1"]);
}

#[test]
fn dates_that_are_odd_are_told() {
    let mail = |from: &str, date: &str| format!("From {from}\nSubject: s\n{date}\nx\n\n");
    let text = [
        mail("a@b Thu Jun 14 00:00:00 2007", ""),
        mail("a@b Thu Jun 14 00:00:01 2007", "Date: yesterday\n"),
        mail(
            "a@b Thu Jun 14 00:00:02 2007",
            "Date: Fri, 30 Feb 2007 00:00:02 +0000\n",
        ),
        mail("-", "Date: Thu, 14 Jun 2007 00:00:03 +0000\n"),
        mail(
            "a@b Thu Jun 14 00:00:04 2007",
            "Date: Thu, 1 Jan 1970 00:00:04 +0000\n",
        ),
        mail("-", "Date: one \u{1b}[2J day\n"),
        mail("-", ""),
    ]
    .concat();
    let at: Vec<f64> = mbox(&text).iter().map(|m| m.0).collect();
    assert_eq!(at, [0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0]);
    assert_eq!(
        told(text).1,
        [
            (OddityKind::UnreadableDate, 2, 6, "yesterday".into()),
            (
                OddityKind::OverruledDate,
                1,
                24,
                "Thu, 1 Jan 1970 00:00:04 +0000".into()
            ),
            (OddityKind::NoDate, 2, 30, "one \u{1b}[2J day".into()),
        ]
    );
}

#[test]
fn dates_count_as_they_are_written() {
    for (date, after) in [
        ("Thu, 14 Jun 2007 00:00:60 +0000", 60.0),
        ("Thu, 14 Jun 107 00:00:59 +0000", 59.0),
        ("Thu, 14 Jun 07 00:00:59 +0000", 59.0),
        ("Thu, 14 Jun 2007 00:00:59 +9999", 59.0),
        ("Thu,\n 14 Jun 2007\n\t(a comment) 02:00:59 +0200", 59.0),
        ("2007-06-14T00:00:59Z", 59.0),
    ] {
        let text = [
            "Thu, 14 Jun 2007 00:00:00 +0000",
            date,
            "Thu, 14 Jun 2007 00:10:00 +0000",
        ]
        .map(|date| format!("From - Thu Jun 14 00:00:00 2007\nSubject: s\nDate: {date}\n\nx\n\n"))
        .concat();
        let at: Vec<f64> = mbox(&text).iter().map(|m| m.0).collect();
        assert_eq!(at, [0.0, after, 600.0], "{date}");
        assert_eq!(told(text).1, [], "{date}");
    }
}

#[test]
fn quoting_is_undone_by_one_level_and_only_in_bodies() {
    let letter =
        one(">From relay Thu Jun 14 00:07:29 2007\nSubject: s\n\n>From a\n>>From b\n> From c\n>Fromage\n");
    assert_eq!(letter.subject, "s");
    assert_eq!(letter.body, "From a\n>From b\n> From c\n>Fromage");
}

#[test]
fn missing_parts_are_empty() {
    for head_only in ["Subject: s", "Subject: s\n", "Subject: s\r\n\r\n\r\n"] {
        assert_eq!(
            one(head_only),
            Letter {
                subject: "s".into(),
                ..Letter::default()
            }
        );
    }
    assert_eq!(
        one("X: y\n\nb\n"),
        Letter {
            body: "b".into(),
            ..Letter::default()
        }
    );
    assert_eq!(one(">From relay"), Letter::default());
    let picture = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nx\n--b--\n";
    assert_eq!(one(picture), Letter::default());
}

#[test]
fn endless_nesting_leaves_the_head() {
    for field in [
        "Content-Type: message/rfc822\n\n",
        "content - TYPE : message/global\n\n",
    ] {
        let letter = one(format!("Subject: deep\n{}", field.repeat(50_000)));
        assert_eq!(
            letter,
            Letter {
                subject: "deep".into(),
                ..Letter::default()
            }
        );
        let letter = one(format!("Subject: shallow\n{}", field.repeat(MAX_PARTS)));
        assert_eq!(letter.subject, "shallow");
    }
}

#[test]
fn charsets_declared_and_not() {
    for (message, text) in [
        (&b"Subject: Jos\xE9\n\nJos\xE9 \x93hi\x94\n"[..], "José “hi”"),
        (b"Subject: Jos\xC3\xA9\n\nJos\xC3\xA9\n", "José"),
        (
            b"Content-Type: text/plain; charset=unknown-8bit\n\nJos\xE9\n",
            "José",
        ),
        (
            b"Content-Type: text/plain; charset=ISO-8859-1\n\nJos\xE9\n",
            "José",
        ),
        (b"Content-Type: text/plain; charset=us-ascii\n\nJos\xE9\n", "José"),
        (
            b"Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n8NLJ18XU\n",
            "Привет",
        ),
        (
            b"Content-Type: text/html\n\n<p>one &amp; <b>two</b></p>\n",
            "one & two",
        ),
    ] {
        assert_eq!(one(message).body, text);
    }
    assert_eq!(one(b"Subject: Jos\xE9\n\n").subject, "José");
}

#[test]
fn charsets_of_several_bytes() {
    let euc_kr = b"Subject: =?EUC-KR?B?sKE=?=\nContent-Type: text/plain; charset=euc-kr\n\n\xB0\xA1\n";
    assert_eq!(
        one(euc_kr),
        Letter {
            subject: "가".into(),
            body: "가".into(),
            ..Letter::default()
        }
    );
}

#[test]
fn when_a_mail_arrived() {
    let mail = |from: &str, field: &str, subject| format!("From {from}\n{field}Subject: {subject}\n\n\n");
    let text = [
        mail("a@b Thu Jun 14 00:00:00 2007", "", "no date"),
        mail(
            "a@b Thu Jun 14 00:00:09 2007",
            "Date: Thu, 14 Jun 2007 02:00:05 +0200\n",
            "other zone",
        ),
        mail(
            "a@b Thu Jun 14 00:00:07 2007",
            "Date: Tue, 19 Jan 2038 03:14:07 GMT\n",
            "wild",
        ),
        mail("a@b Thu Jun 14 00:00:08 2007", "Date: yesterday\n", "broken"),
        mail(
            "- Sat Jan  1 00:00:00 2011",
            "Date: Thu, 14 Jun 2007 00:00:03 GMT\n",
            "fetched later",
        ),
        mail("- Sat Jan  1 00:00:00 2011", "", "nothing known"),
    ];
    let mails = mbox(text.concat());
    let seen: Vec<_> = mails
        .iter()
        .map(|(at, letter)| (*at, letter.subject.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (0.0, "no date"),
            (3.0, "fetched later"),
            (3.0, "nothing known"),
            (5.0, "other zone"),
            (7.0, "wild"),
            (8.0, "broken")
        ]
    );
    assert_eq!(
        mbox(text[5].repeat(2)).iter().map(|m| m.0).collect::<Vec<_>>(),
        [0.0, 0.0]
    );
    assert_eq!(mbox(text[5].clone() + &text[0])[1].0, 0.0);
}

#[test]
fn a_large_archive() {
    const MAILS: usize = 6_000;
    let line = "From time to time a line begins so, and once with a date: Thu Jun 14 00:07:29 2007\n\n";
    let mail = |i: usize| {
        let (hour, minute, second) = (i / 3_600, i / 60 % 60, i % 60);
        format!(
            "From user at host.org  Thu Jun 14 {hour:02}:{minute:02}:{second:02} 2007\n\
             From: user at host.org\nSubject: {i}\n\n{}\n",
            line.repeat(10 + i % 7)
        )
    };
    // The newest first, unlike in any archive.
    let text: String = (0..MAILS).rev().map(mail).collect();
    assert!(text.len() > 5_000_000);
    let mails = mbox(text);
    assert_eq!(mails.len(), MAILS);
    for (i, (at, letter)) in mails.iter().enumerate() {
        assert_eq!((*at, &letter.subject), (i as f64, &i.to_string()));
        assert_eq!(letter.body, line.repeat(10 + i % 7).trim_end());
    }
}

#[test]
fn the_shipped_day_of_a_list() {
    let mails = csv(LIST);
    assert_eq!((mails.len(), mails[0]), (131, (0.0, 415)));
    assert!(mails.is_sorted_by_key(|(at, _)| *at));
    assert_eq!(mails[1], (630.0, 5_169));
}

#[test]
fn a_csv_with_and_without_its_header_line() {
    let expected = [(0.0, MIN_SIZE), (0.25, 700), (10.5, 300)];
    for text in [
        "10.5,300\n0,1\n0.25,700\n",
        "\u{FEFF}Offset_s, Bytes\r\n110.5, 300\r\n100, 0\r\n\r\n100.25,700",
        "-9.5,300\n-20,5\n-19.75,700",
    ] {
        assert_eq!(csv(text), expected, "{text:?}");
    }
}

#[test]
fn complaints_name_line_value_and_what_is_allowed() {
    for (text, words) in [
        (&b"offset_s,bytes\n"[..], ["no line", "offset_s,bytes", ""]),
        (b"1,2\n\n3\n", ["line 3", "\"3\"", "offset_s,bytes"]),
        (b"1,2,3\n", ["line 1", "\"1,2,3\"", "offset_s,bytes"]),
        (b"1,2\nx,3\n", ["line 2", "offset_s \"x\"", "allowed is a number"]),
        (b"inf,3\n", ["line 1", "offset_s \"inf\"", "allowed is a number"]),
        (b"nan,3\n", ["line 1", "offset_s \"nan\"", "1e12"]),
        (b"1,-3\n", ["line 1", "bytes \"-3\"", "allowed is a whole number"]),
        (b"1,1e99\n", ["line 1", "bytes \"1e99\"", "67108864"]),
        (b"1,2\n3,\xFF\n", ["line 2", "UTF-8", ""]),
        (b"\xFF\xFE1\0,\0", ["UTF-16", "UTF-8", ""]),
    ] {
        let said = complaint(parse_csv(text));
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    }
    let said = complaint(parse_mbox(b"From here on\nthere is no separator: none\n"));
    assert!(said.contains("no line separates mails"), "{said}");
}

#[test]
fn files_that_cannot_be_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let huge = write("huge", b"");
    File::options()
        .write(true)
        .open(&huge)
        .unwrap()
        .set_len(MAX_FILE + 1)
        .unwrap();
    for (path, words) in [
        (dir.path().join("missing"), ["missing", "cannot read"]),
        (dir.path().to_owned(), ["directory", "allowed is a file"]),
        (write("empty", b""), ["empty", "it is empty"]),
        (huge, ["larger", "256 MiB"]),
        (
            write("image", b"\x89PNG\r\n\x1A\n"),
            ["must be an mbox", "CSV of offset_s,bytes"],
        ),
        (
            write("prose", b"Dear list,\nhello\n"),
            ["must be an mbox", "line 1"],
        ),
        (
            write("almost", b"From me to you\n\nhello\n"),
            ["begins as an mbox", "no line separates"],
        ),
    ] {
        let said = complaint(read(&path));
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    }
    assert_eq!(read(&write("arrivals.mbox", LIST)).unwrap().letters.len(), 131);
    assert_eq!(read(&write("inbox.csv", INBOX)).unwrap().letters.len(), 8);
}

/// Pieces of text that reach further into the readers than random bytes.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            &b"From a@b Thu Jun 14 00:07:29 2007\n"[..],
            b"\nFrom - Thu Jun 14 00:07:29 +9999 2007\n",
            b"Subject: =?EUC-KR?B?sKE=?= =?iso-2022-jp?Q?=1B$B?=\n",
            b"From: =?x?q?=",
            b"Date: Thu, 14 Jun 2007 00:07:29 -0400\n",
            b"Date: 99 Jun 99999 99:99:99 +9999\n",
            b"Content-Type: multipart/mixed; boundary=b\n",
            b"Content-Type: message/rfc822\n",
            b"Content-Type: text/html; charset=utf-7\n",
            b"Content-Transfer-Encoding: base64\n",
            b"Content-Transfer-Encoding: quoted-printable\n",
            b"\n--b\n",
            b"\n--b--\n",
            b">From ",
            b"\r\n",
            b"\n\n",
            b"1,2\n",
            b"\"",
        ])
        .prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Takes one `>` away, as readers of mboxrd do.
fn unquote(body: &str) -> String {
    let line = |line: &str| match line.trim_start_matches('>').starts_with("From ") {
        true => line.strip_prefix('>').unwrap_or(line).to_owned(),
        false => line.to_owned(),
    };
    body.split_inclusive('\n').map(line).collect()
}

/// How programs write a mailbox: how they keep a line that begins with `From ` from being a separator,
/// their separators, and what they put between a mail and the next.
#[derive(Clone, Debug)]
struct Writer {
    lengths: bool,
    separators: Vec<&'static str>,
    gap: &'static str,
    line_end: &'static str,
}

impl Writer {
    fn write(&self, bodies: &[String]) -> String {
        let mail = |(i, body): (usize, &String)| {
            let separator = self.separators[i % self.separators.len()];
            let body = if self.lengths { body.clone() } else { quote(body) };
            let body = body.replace('\n', self.line_end);
            let length = match self.lengths {
                true => format!("Content-Length: {}\n", body.len()),
                false => String::new(),
            };
            let head = format!(
                "{separator}\nSubject: {i}\nDate: Thu, 14 Jun 2007 00:{:02}:{:02} +0000\n{length}\n",
                i / 60,
                i % 60
            );
            head.replace('\n', self.line_end) + &body + &self.gap.replace('\n', self.line_end)
        };
        bodies.iter().enumerate().map(mail).collect()
    }
}

/// mboxrd: adds one `>` to lines that could be read as a separator, or as a quoted one.
fn quote(body: &str) -> String {
    let line = |line: &str| match line.trim_start_matches('>').starts_with("From ") {
        true => format!(">{line}"),
        false => line.into(),
    };
    body.split_inclusive('\n').map(line).collect()
}

fn writers() -> impl Strategy<Value = Writer> {
    let separator = prop::sample::select(vec![
        "From ",
        "From -",
        "From - Thu Jun 14 00:00:00 2007",
        "From ann@example.com Thu Jun 14 00:00:00 2007",
        "From ann at example.com  Thu Jun 14 00:00:00 2007",
        "From ann@example.com Thu Jun 14 02:00:00 2007 +0200",
        "From ann@example.com",
    ]);
    (
        any::<bool>(),
        prop::collection::vec(separator, 1..4),
        prop::sample::select(vec!["", "\n", "\n\n", "\0\0\0", "\n\0\0\0\n"]),
        prop::sample::select(vec!["\n", "\r\n"]),
    )
        .prop_map(|(lengths, separators, gap, line_end)| Writer {
            lengths,
            separators,
            gap,
            line_end,
        })
}

/// Bodies of whole lines, without blank lines at the end: those belong to the separator.
fn bodies() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        prop::sample::select(vec![
            "",
            "From here on we count.",
            "From -",
            "From ann@example.com Thu Jun 14 00:07:29 2007",
            ">From a distance",
            ">>From further away",
            "Subject: no head",
            "From: ann@example.com",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,30}",
    ];
    let body = prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n") + "\nend\n");
    prop::collection::vec(body, 1..12)
}

proptest! {
    #[test]
    fn what_programs_write_is_read_again(bodies in bodies(), writer in writers()) {
        let text = writer.write(&bodies);
        let read = mbox(&text);
        prop_assert_eq!(read.len(), bodies.len(), "{}", text);
        for (i, ((at, letter), body)) in read.iter().zip(&bodies).enumerate() {
            prop_assert_eq!(*at, i as f64);
            prop_assert_eq!(&letter.subject, &i.to_string());
            // Unless a line is kept from being a separator by the length alone, the file does not show
            // whether ">From " was quoted.
            let verbatim = body.lines().any(|line| line.starts_with("From "));
            let expected = if writer.lengths && !verbatim { unquote(body) } else { body.clone() };
            prop_assert_eq!(&letter.body, expected.trim_end_matches('\n'));
        }
        prop_assert!(parse_mbox(text.as_bytes()).unwrap().oddities.is_empty());
    }

    #[test]
    fn no_bytes_are_too_much(bytes in pieces()) {
        for schedule in [parse_csv(&bytes), parse_mbox(&bytes)].into_iter().flatten() {
            prop_assert!(!schedule.letters.is_empty());
            prop_assert!(schedule.letters.is_sorted_by_key(|(due, _)| *due));
            prop_assert_eq!(schedule.letters[0].0, Duration::ZERO);
        }
    }
}
