//! Text for a terminal: line breaking and colours.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Breaks prose into lines of at most `width` columns; all but the first are indented. A word longer than a
/// line (for example a file name) is cut.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in words(text) {
        let wide = word.width();
        if column > indent && column + 1 + wide > width {
            (column, _) = (indent, new_line(&mut out, indent));
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if column + wide > width {
                (column, _) = (indent, new_line(&mut out, indent));
            }
            out.push(c);
            column += wide;
        }
    }
    out.push('\n');
    out
}

/// Splits text into units that stay on one line: a word, or a number with its unit.
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        // A Korean particle follows a word without a space.
        let bare = word.trim_matches(|c: char| c != '%' && !c.is_ascii_alphanumeric());
        match words.last_mut().filter(|_| ["B", "ms", "s", "%"].contains(&bare)) {
            Some(number) => *number = format!("{number} {word}"),
            None => words.push(word.into()),
        }
    }
    words
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Adds colours, or nothing: the text itself says the same.
#[derive(Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        let (text, end) = text.strip_suffix('\n').map_or((text, ""), |t| (t, "\n"));
        if self.0 && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m{end}")
        } else {
            format!("{text}{end}")
        }
    }
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
    pub fn alarm(self, text: &str) -> String {
        self.with("1;31", text)
    }
}

/// Pads on the right to `width` columns.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Cuts a name to `width` columns.
pub fn clip(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.into();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= room;
        room = room.saturating_sub(wide);
        fits
    };
    name.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_counts_columns_and_cuts_long_words() {
        assert_eq!(wrap("one two three", 8, 2), "one two\n  three\n");
        assert_eq!(wrap("메일이 왔다", 8, 0), "메일이\n왔다\n");
        assert_eq!(wrap("", 8, 2), "\n");
        assert_eq!(wrap("four four nine", 9, 0), "four four\nnine\n");
        assert_eq!(wrap("four four nine", 8, 0), "four\nfour\nnine\n");
        assert_eq!(
            wrap("waits (104 ms).", 12, 0),
            "waits\n(104 ms).\n",
            "a unit stays with its number"
        );
        assert_eq!(wrap("평균 (104 ms)은", 10, 0), "평균\n(104 ms)은\n");
        for width in 10..60 {
            let text = wrap(
                &format!("see {} for the 메일함메일함메일함 rest", "x".repeat(100)),
                width,
                3,
            );
            assert!(text.lines().all(|l| l.width() <= width), "{text}");
            assert_eq!(text.matches('x').count(), 100);
        }
    }

    #[test]
    fn names_are_cut_by_columns_not_characters() {
        assert_eq!(clip("long-poll", 9), "long-poll");
        assert_eq!(clip("long-poll", 5), "long…");
        assert_eq!(clip("메일함", 5), "메일…");
        assert_eq!(clip("메일함", 4), "메…");
    }
}
