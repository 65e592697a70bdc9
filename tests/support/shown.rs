//! Which lines of an output a page shows: `show: 1-6, "mean latency" to "ws", "poll made" to end`.
//!
//! A piece is a line by its number from 1 (`7`), a range of numbers (`1-6`), the next line that contains a
//! text (`"poll "`), or a range of these (`"mean" to "ws "`, `"poll made" to end`, and `"poll made" to blank`, which
//! is the rest of a paragraph). Pieces are in the order
//! of the output: a text is searched for after the previous piece. A line with `…` replaces left-out lines.

/// The mark for lines that are left out.
pub const LEFT_OUT: &str = "…";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    Line(usize),
    Text(String),
    /// The last line before a blank one.
    Blank,
    End,
}

/// The shown pieces of an output, each from one bound to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(Vec<(Bound, Bound)>);

impl Shown {
    /// Parses the text after `show:`.
    pub fn parse(text: &str) -> Shown {
        let mut rest = text.trim();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (from, after) = bound(rest);
            let range = after.strip_prefix('-').or_else(|| after.strip_prefix(" to "));
            let (to, after) = range.map_or((from.clone(), after), bound);
            pieces.push((from, to));
            rest = after.trim_start_matches(',').trim_start();
        }
        assert!(!pieces.is_empty(), "`show:` shows nothing");
        Shown(pieces)
    }

    /// Whether the last paragraph of the output is shown to its end.
    pub fn reaches_the_end(&self) -> bool {
        self.0.last().is_some_and(|(_, to)| *to == Bound::End)
    }

    /// The lines of an output that are shown.
    pub fn of(&self, output: &str) -> String {
        let lines: Vec<&str> = output.trim_end().lines().collect();
        let (mut shown, mut next) = (Vec::new(), 0);
        for (from, to) in &self.0 {
            let first = from.find(&lines, next);
            let last = to.find(&lines, first);
            leave_out(&lines[next..first], &mut shown);
            shown.extend_from_slice(&lines[first..=last]);
            next = last + 1;
        }
        leave_out(&lines[next..], &mut shown);
        shown.join("\n") + "\n"
    }
}

/// Keeps blank lines, as separators; replaces other lines by one mark.
fn leave_out<'a>(lines: &[&'a str], shown: &mut Vec<&'a str>) {
    match lines.iter().all(|line| line.is_empty()) {
        true => shown.extend_from_slice(lines),
        false => shown.push(LEFT_OUT),
    }
}

impl Bound {
    /// The index of this bound's line, from `from` on.
    fn find(&self, lines: &[&str], from: usize) -> usize {
        let at = match self {
            Bound::Line(number) => Some(number - 1),
            Bound::Blank => {
                let blank = (from..lines.len()).find(|&i| lines[i].is_empty());
                Some(blank.unwrap_or(lines.len()) - 1)
            }
            Bound::End => Some(lines.len() - 1),
            Bound::Text(text) => (from..lines.len()).find(|&i| lines[i].contains(text)),
        };
        at.filter(|at| (from..lines.len()).contains(at))
            .unwrap_or_else(|| {
                panic!(
                    "from line {} on there is no {self:?}:\n{}",
                    from + 1,
                    lines.join("\n")
                )
            })
    }
}

/// Parses the bound at the start of a text; also returns the rest.
fn bound(text: &str) -> (Bound, &str) {
    if let Some(rest) = text.strip_prefix("end") {
        return (Bound::End, rest);
    }
    if let Some(rest) = text.strip_prefix("blank") {
        return (Bound::Blank, rest);
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let (inner, rest) = quoted.split_once('"').expect("a quoted text ends");
        return (Bound::Text(inner.into()), rest);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..digits].parse().ok().filter(|&n| n > 0);
    let number = number.unwrap_or_else(|| panic!("neither a line, nor a \"text\", nor `end`: {text}"));
    (Bound::Line(number), &text[digits..])
}
