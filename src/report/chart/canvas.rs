//! What all charts share: the `<svg>` element, shapes and texts in it, and a key of colours and shapes.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::axis::About;
use super::palette::{self, Fill, Ink, PAGE, SOFT, TEXT};

/// Below this width, in pixels, elements are stacked vertically.
pub const NARROW: u32 = 520;

/// A point, in pixels from the upper left corner.
pub type Point = (i32, i32);

/// A drawing surface.
pub struct Canvas {
    width: u32,
    body: String,
}

/// Which end of a text is at its position.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The text begins there.
    Left,
    /// The text's middle is there; near the edge it is shifted to stay inside.
    Center,
    /// The text ends there.
    Right,
}

/// Draws into an `<svg>` of this size.
pub fn drawn(about: &About, (width, height): (u32, u32), draw: impl FnOnce(&mut Canvas)) -> String {
    let mut canvas = Canvas {
        width,
        body: String::new(),
    };
    draw(&mut canvas);
    let About { id, title, desc } = about;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-d\" \
         font-family=\"system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\" font-size=\"13\">\n\
         <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n{}</svg>\n",
        escaped(title),
        escaped(desc),
        canvas.body
    )
}

/// A marker of 14 pixels.
pub fn sample(fill: Fill) -> String {
    let mut canvas = Canvas {
        width: 14,
        body: String::new(),
    };
    canvas.marker((7, 7), fill);
    let body = canvas.body;
    format!("<svg viewBox=\"0 0 14 14\" width=\"14\" height=\"14\" aria-hidden=\"true\">{body}</svg>")
}

/// A chart as a separate file, with its own background and style sheet.
pub fn file(svg: &str) -> String {
    let [page, _] = PAGE.css();
    let extra = format!(
        "</desc>\n<style>{}</style>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{page}\"/>",
        palette::dark()
    );
    svg.replacen("</desc>", &extra, 1)
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The approximate width of a text in pixels; the exact one depends on the reader's font.
pub fn wide(words: &str) -> u32 {
    words.width() as u32 * 8
}

impl Canvas {
    /// The canvas's width in pixels.
    pub fn width(&self) -> i32 {
        self.width as i32
    }

    fn add(&mut self, element: std::fmt::Arguments) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.body, "{element}");
    }

    /// A line through points; dashed for a prediction.
    pub fn line(&mut self, points: &[Point], ink: Ink, width: u32, dashed: bool) {
        let dashes = if dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let (points, ink) = (points.join(" "), ink.light());
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"{width}\"{dashes}/>"
        ));
    }

    /// A rectangle between two corners, which may be transparent.
    pub fn surface(&mut self, [(left, top), (right, bottom)]: [Point; 2], ink: Ink, opacity: f64) {
        let (width, height, ink) = (right - left, bottom - top, ink.light());
        let clear = match opacity {
            1.0 => String::new(),
            opacity => format!(" opacity=\"{opacity}\""),
        };
        self.add(format_args!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"{ink}\"{clear}/>"
        ));
    }

    /// A disc.
    pub fn disc(&mut self, (x, y): Point, radius: u32, ink: Ink) {
        let ink = ink.light();
        self.add(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{ink}\"/>"
        ));
    }

    /// The stroke of a prediction, visible on any fill.
    pub fn across(&mut self, x: i32, (top, bottom): (i32, i32)) {
        self.line(&[(x, top), (x, bottom)], PAGE, 5, false);
        self.line(&[(x, top), (x, bottom)], TEXT, 2, false);
    }

    /// A text that is vertically centred at `y`.
    pub fn text(&mut self, (x, y): Point, side: Side, ink: Ink, words: &str) {
        self.words((x, y), side, ink, "", words);
    }

    /// The same in bold.
    pub fn bold(&mut self, (x, y): Point, side: Side, ink: Ink, words: &str) {
        self.words((x, y), side, ink, " font-weight=\"bold\"", words);
    }

    fn words(&mut self, (x, y): Point, side: Side, ink: Ink, style: &str, words: &str) {
        let half = wide(words) as i32 / 2;
        let (x, anchor) = match side {
            Side::Left => (x, ""),
            Side::Center => (x.min(self.width() - half).max(half), " text-anchor=\"middle\""),
            Side::Right => (x, " text-anchor=\"end\""),
        };
        let (ink, words) = (ink.light(), escaped(words));
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" dy=\".35em\"{anchor} fill=\"{ink}\"{style}>{words}</text>"
        ));
    }

    /// What `draw` draws, with a text that is shown while the pointer is on it.
    pub fn named(&mut self, name: &str, draw: impl FnOnce(&mut Canvas)) {
        self.add(format_args!("<g><title>{}</title>", escaped(name)));
        draw(self);
        self.add(format_args!("</g>"));
    }

    /// A technique's marker. Each technique has its own shape and colour.
    pub fn marker(&mut self, (x, y): Point, fill: Fill) {
        let ink = fill.ink().light();
        match fill {
            Fill::Baseline => self.add(format_args!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"2\"/>"
            )),
            Fill::Technique(n) if n % (SHAPES.len() + 1) > 0 => self.add(format_args!(
                "<path transform=\"translate({x} {y})\" d=\"{}\" fill=\"{ink}\"/>",
                SHAPES[n % (SHAPES.len() + 1) - 1]
            )),
            Fill::Technique(_) | Fill::Label(_) => self.disc((x, y), 4, fill.ink()),
        }
    }
}

/// Markers around their middle, besides the disc: a square, a triangle, a diamond, a triangle on its tip, an
/// upright cross, a triangle on its side, a slanted cross.
pub const SHAPES: [&str; 7] = [
    "M-4-4H4V4H-4Z",
    "M0-5L5 4H-5Z",
    "M0-6L6 0L0 6L-6 0Z",
    "M0 5L5-4H-5Z",
    "M-5-2H-2V-5H2V-2H5V2H2V5H-2V2H-5Z",
    "M5 0L-4 5V-5Z",
    "M-5-3L-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0Z",
];

/// The way an element is drawn.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// A line with its marker; dashed and without marker if true.
    Line(Fill, bool),
    /// A surface.
    Surface(Fill),
    /// A vertical stroke: a prediction.
    Stroke,
    /// A disc: a mean.
    Disc,
}

/// The key of a chart: names and samples.
#[derive(Debug)]
pub struct Key(Vec<(String, Sample)>);

const LINE: u32 = 22;
const SAMPLE: u32 = 30;

impl Key {
    pub fn new(entries: impl IntoIterator<Item = (String, Sample)>) -> Key {
        Key(entries.into_iter().collect())
    }

    /// The position of each entry at this width: its left end and its line.
    fn places(&self, width: u32) -> Vec<(u32, u32)> {
        let (mut x, mut line) = (0, 0);
        let place = |(name, _): &(String, Sample)| {
            let needs = SAMPLE + wide(name) + 16;
            if x > 0 && x + needs > width {
                (x, line) = (0, line + 1);
            }
            let place = (x, line);
            x += needs;
            place
        };
        self.0.iter().map(place).collect()
    }

    pub fn height(&self, width: u32) -> u32 {
        self.places(width)
            .last()
            .map_or(0, |(_, line)| (line + 1) * LINE + 6)
    }

    pub fn draw(&self, canvas: &mut Canvas) {
        for ((name, sample), (x, line)) in self.0.iter().zip(self.places(canvas.width)) {
            let (x, y) = (x as i32, (line * LINE + LINE / 2) as i32);
            sample.draw(canvas, (x, y));
            canvas.text((x + SAMPLE as i32, y), Side::Left, TEXT, name);
        }
    }
}

impl Sample {
    fn draw(self, canvas: &mut Canvas, (x, y): Point) {
        let end = x + SAMPLE as i32 - 8;
        match self {
            Sample::Line(fill, dashed) => {
                canvas.line(&[(x, y), (end, y)], fill.ink(), 2, dashed);
                if !dashed {
                    canvas.marker(((x + end) / 2, y), fill);
                }
            }
            Sample::Surface(fill) => canvas.surface([(end - 16, y - 6), (end, y + 6)], fill.ink(), 1.0),
            Sample::Stroke => canvas.line(&[(end - 6, y - 8), (end - 6, y + 8)], TEXT, 2, false),
            Sample::Disc => canvas.disc((end - 6, y), 5, SOFT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_breaks_its_lines() {
        let key = Key::new((0..6).map(|n| (format!("technique {n}"), Sample::Disc)));
        assert_eq!(key.height(2_000), 28);
        assert!(key.height(300) > 60);
        assert!(
            key.places(300)
                .iter()
                .all(|(x, _)| x + SAMPLE + wide("technique 0") <= 300)
        );
        assert_eq!(Key::new([]).height(300), 0);
    }

    #[test]
    fn words_are_not_markup() {
        let about = About {
            id: "x".into(),
            title: "a < b & \u{1b}".into(),
            desc: "</desc>".into(),
        };
        let svg = drawn(&about, (10, 10), |_| {});
        assert!(
            svg.contains("a &lt; b &amp; \u{fffd}</title>") && svg.contains("&lt;/desc&gt;"),
            "{svg}"
        );
        assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("<svg").count(), 1);
        let file = file(&svg);
        assert!(file.contains("prefers-color-scheme") && file.matches("<style>").count() == 1);
    }
}
