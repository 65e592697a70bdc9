//! Korean particles. Some have two forms, one after a vowel and one after a final consonant (받침):
//! 메일이, 요청은, 헤더를. With figures and Latin names it is their sound that counts: 3은 (삼), 4는 (사),
//! ws는 (더블유에스), poll은 (폴). A bracket is not read: `poll(3 ms)은`.

/// How the word before a particle ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Vowel,
    /// ㄹ: after it, (으)로 has the same form as after a vowel.
    Rieul,
    Consonant,
}

/// The longest form of a particle, in letters.
const LONGEST: usize = 4;

/// Replaces each `(은/는)` by the form that suits.
pub fn settle(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        out.push_str(&rest[..open]);
        match pair(&rest[open..]) {
            Some((closed, open_form, length)) => {
                out.push_str(choose(ending(&out), closed, open_form));
                rest = &rest[open + length..];
            }
            None => {
                out.push('(');
                rest = &rest[open + 1..];
            }
        }
    }
    out + rest
}

/// The two forms of a particle at the beginning of a text, and the length of all that.
fn pair(text: &str) -> Option<(&str, &str, usize)> {
    let end = text.find(')')?;
    let (closed, open) = text[1..end].split_once('/')?;
    let is_form = |form: &str| (1..=LONGEST).contains(&form.chars().count()) && form.chars().all(is_hangul);
    // 이다/다: after a vowel 이 is dropped altogether: (이/).
    (is_form(closed) && (open.is_empty() || is_form(open))).then_some((closed, open, end + 1))
}

fn choose<'a>(ending: Ending, closed: &'a str, open: &'a str) -> &'a str {
    match ending {
        Ending::Vowel => open,
        Ending::Rieul if closed.starts_with("으로") => open,
        _ => closed,
    }
}

/// How a text's last word ends when it is spoken.
fn ending(text: &str) -> Ending {
    let word = unbracketed(text).trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%');
    let Some(last) = word.chars().next_back() else {
        return Ending::Vowel;
    };
    match last {
        '%' => Ending::Vowel, // 퍼센트
        '0'..='9' => digit(last),
        c if is_hangul(c) => syllable(c),
        _ => {
            let start = word
                .rfind(|c: char| !c.is_ascii_alphabetic())
                .map_or(0, |at| at + word[at..].chars().next().map_or(0, char::len_utf8));
            latin(&word[start..])
        }
    }
}

/// The text without the brackets at its end.
fn unbracketed(text: &str) -> &str {
    let mut text = text.trim_end();
    while text.ends_with(')') {
        let mut depth = 0;
        let open = text.char_indices().rev().find(|(_, c)| {
            depth += i32::from(*c == ')') - i32::from(*c == '(');
            depth == 0
        });
        match open {
            Some((at, _)) if at > 0 => text = text[..at].trim_end(),
            _ => break,
        }
    }
    text
}

fn is_hangul(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

/// Unicode, 3.12: a syllable is 가 + (initial * 21 + vowel) * 28 + final; final 8 is ㄹ.
fn syllable(c: char) -> Ending {
    match (u32::from(c) - u32::from('가')) % 28 {
        0 => Ending::Vowel,
        8 => Ending::Rieul,
        _ => Ending::Consonant,
    }
}

/// A figure ends like its last digit; and 0, whether 영, 십, 백, 천, 만 or 억, in a consonant.
fn digit(c: char) -> Ending {
    match c {
        '1' | '7' | '8' => Ending::Rieul,
        '0' | '3' | '6' => Ending::Consonant,
        _ => Ending::Vowel,
    }
}

/// Words whose last letter is misleading.
const SPOKEN: &[(&str, Ending)] = &[
    ("tls", Ending::Vowel),
    ("b", Ending::Vowel),       // 바이트
    ("ms", Ending::Vowel),      // 밀리초
    ("s", Ending::Vowel),       // 초
    ("min", Ending::Consonant), // 분
    ("h", Ending::Consonant),   // 시간
    ("ping", Ending::Consonant),
    ("pong", Ending::Consonant),
    ("framing", Ending::Consonant),
    ("settings", Ending::Vowel),
    ("control", Ending::Rieul),
    ("token", Ending::Consonant),
    ("websocket", Ending::Consonant), // 웹소켓
    ("output", Ending::Consonant),    // 아웃풋
    ("stdout", Ending::Consonant),
    ("pcap", Ending::Consonant),
    ("format", Ending::Consonant), // 포맷
    ("keep", Ending::Consonant),
    ("block", Ending::Consonant),
    ("sweep", Ending::Consonant),
    ("timeline", Ending::Consonant),
    ("baseline", Ending::Consonant),
];

fn latin(word: &str) -> Ending {
    let word_lower = word.to_ascii_lowercase();
    if let Some((_, ending)) = SPOKEN.iter().find(|(name, _)| *name == word_lower) {
        return *ending;
    }
    // Spelled letter by letter, l, m, n and r close: 엘, 엠, 엔, 알.
    let spelled = word.chars().all(|c| c.is_ascii_uppercase());
    match word_lower.as_bytes() {
        [.., b'l'] => Ending::Rieul,
        [.., b'r'] if spelled => Ending::Rieul,
        [.., b'm' | b'n'] => Ending::Consonant,
        [.., b'n', b'g'] if !spelled => Ending::Consonant,
        _ => Ending::Vowel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_particle_follows_the_sound_of_the_word_before_it() {
        for (text, expected) in [
            ("메일(은/는)", "메일은"),
            ("헤더(은/는)", "헤더는"),
            ("요청(이/가) 62번", "요청이 62번"),
            ("프레임(을/를)", "프레임을"),
            ("지연 시간(과/와)", "지연 시간과"),
            ("오버헤드(과/와)", "오버헤드와"),
            ("서버(으로/로)", "서버로"),
            ("메일(으로/로)", "메일로"),
            ("연결(으로/로)", "연결로"),
            ("요청(으로/로)", "요청으로"),
            ("헤더(이/)다", "헤더다"),
            ("프레임(이/)다", "프레임이다"),
            ("헤더(이었/였)습니다", "헤더였습니다"),
            ("핑(이라는/라는) 말", "핑이라는 말"),
        ] {
            assert_eq!(settle(text), expected);
        }
    }

    #[test]
    fn figures_count_as_they_are_spoken() {
        let spoken: String = (0..10).map(|n| settle(&format!("{n}(을/를)"))).collect();
        assert_eq!(spoken, "0을1을2를3을4를5를6을7을8을9를");
        for (text, expected) in [
            ("10(으로/로)", "10으로"),
            ("1,000(은/는)", "1,000은"),
            ("2,001(으로/로)", "2,001로"),
            ("4.02 B(을/를)", "4.02 B를"),
            ("104 ms(이/가)", "104 ms가"),
            ("69 %(이/가)", "69 %가"),
            ("30/min(은/는)", "30/min은"),
            ("HTTP/2(은/는)", "HTTP/2는"),
            ("HTTP/1.1(은/는)", "HTTP/1.1은"),
            ("RFC 6455(을/를)", "RFC 6455를"),
        ] {
            assert_eq!(settle(text), expected);
        }
    }

    #[test]
    fn names_count_as_they_are_spoken() {
        for (text, expected) in [
            ("poll(은/는)", "poll은"),
            ("long-poll(이/가)", "long-poll이"),
            ("sse(은/는)", "sse는"),
            ("ws(을/를)", "ws를"),
            ("tcp(과/와)", "tcp와"),
            ("stomp(은/는)", "stomp는"),
            ("sockjs(은/는)", "sockjs는"),
            ("socketio(은/는)", "socketio는"),
            ("head(이/가)", "head가"),
            ("framing(이/가)", "framing이"),
            ("control(이/가)", "control이"),
            ("tls(이/가)", "tls가"),
            ("TLS(은/는)", "TLS는"),
            ("URL(은/는)", "URL은"),
            ("URL(으로/로)", "URL로"),
            ("`Connection`(은/는)", "`Connection`은"),
            ("ping(을/를)", "ping을"),
            ("WebSocket(을/를)", "WebSocket을"),
            ("websocket(은/는)", "websocket은"),
        ] {
            assert_eq!(settle(text), expected);
        }
    }

    #[test]
    fn brackets_are_not_read_and_other_brackets_stay() {
        assert_eq!(settle("poll (요청 3번)(은/는)"), "poll (요청 3번)은");
        assert_eq!(settle("ws(연결 (하나))(은/는)"), "ws(연결 (하나))는");
        assert_eq!(settle("(은/는)"), "는");
        assert_eq!(settle("‘메일’(이/가)"), "‘메일’이");
        for untouched in ["(a/b)", "f(x) (1/2)", "(", "가 (나", "(KB/s)", "괄호(나)", "(/)"] {
            assert_eq!(settle(untouched), untouched);
        }
    }
}
