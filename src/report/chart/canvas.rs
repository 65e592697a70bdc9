//! What all charts share: the element round them, text, and a key of what is drawn how.

use anyhow::Result;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, ShapeStyle, TextStyle};
use unicode_width::UnicodeWidthStr;

use super::About;
use super::palette::{self, Fill, Ink, PAGE, SOFT, TEXT};

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Pixels.
pub const TEXT_SIZE: u32 = 13;

/// Below this width things stand under each other.
pub const NARROW: u32 = 520;

/// Draws into an `<svg>` of that size.
pub fn drawn(about: &About, size: (u32, u32), draw: impl FnOnce(&Area) -> Result<()>) -> Result<String> {
    let mut body = String::new();
    {
        let area = SVGBackend::with_string(&mut body, size).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    // Everything between the root's tags is theirs, the root is ours.
    let inner = body.split_once('>').map_or("", |(_, rest)| rest);
    let inner = inner.trim_end().trim_end_matches("</svg>").trim();
    let (About { id, title, desc }, (width, height)) = (about, size);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-d\" \
         font-family=\"system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">\n\
         <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n{inner}\n</svg>\n",
        escaped(title),
        escaped(desc)
    ))
}

/// A marker of 14 pixels.
pub fn sample(fill: Fill) -> Result<String> {
    let about = About {
        id: String::new(),
        title: String::new(),
        desc: String::new(),
    };
    let svg = drawn(&about, (14, 14), |area| {
        marker(area, (7, 7), super::lines::shape(fill), fill.ink())
    })?;
    let inner = svg.split_once("</desc>").map_or("", |(_, rest)| rest);
    Ok(format!(
        "<svg viewBox=\"0 0 14 14\" width=\"14\" height=\"14\" aria-hidden=\"true\">{}",
        inner.trim()
    ))
}

/// With a background and a style sheet of its own.
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

/// A text style. The family is the page's own.
pub fn font(ink: Ink) -> TextStyle<'static> {
    sized(TEXT_SIZE, ink)
}

fn sized(size: u32, ink: Ink) -> TextStyle<'static> {
    // The backend divides by this: it takes the size for a line's height.
    let height = f64::from(size) * 1.24;
    let mut style = TextStyle::from((FontFamily::Name("inherit"), height));
    style.color = ink.rgb().to_backend_color();
    style.pos(Pos::new(HPos::Left, VPos::Center))
}

/// Writes a text whose middle is at that height. One that is centred moves aside rather than over the edge.
pub fn text(area: &Area, at: (i32, i32), side: HPos, ink: Ink, bold: bool, words: &str) -> Result<()> {
    let (mut x, y) = at;
    if matches!(side, HPos::Center) {
        let (half, (width, _)) = (wide(words) as i32 / 2, area.dim_in_pixel());
        x = x.min(width as i32 - half).max(half);
    }
    let mut style = font(ink).pos(Pos::new(side, VPos::Center));
    if bold {
        style.font = style.font.style(FontStyle::Bold);
    }
    Ok(area.draw(&Text::new(words.to_string(), (x, y), style))?)
}

/// About how many pixels a text takes; the true figure is the reader's font's.
pub fn wide(words: &str) -> u32 {
    words.width() as u32 * 8
}

/// How something is drawn.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// A line with its marker.
    Line(usize, Fill, bool),
    /// A surface.
    Surface(Fill),
    /// An upright stroke: a prediction.
    Stroke,
    /// A disc: a mean.
    Disc,
}

/// What of a chart is drawn how.
#[derive(Debug)]
pub struct Key(Vec<(String, Sample)>);

const LINE: u32 = 22;
const SAMPLE: u32 = 30;

impl Key {
    pub fn new(entries: impl IntoIterator<Item = (String, Sample)>) -> Key {
        Key(entries.into_iter().collect())
    }

    /// Where each entry goes in that width: its left end and its line.
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

    pub fn draw(&self, area: &Area, left: u32, width: u32) -> Result<()> {
        for ((name, sample), (x, line)) in self.0.iter().zip(self.places(width)) {
            let (x, y) = ((left + x) as i32, (line * LINE + LINE / 2) as i32);
            sample.draw(area, (x, y))?;
            text(area, (x + SAMPLE as i32, y), HPos::Left, TEXT, false, name)?;
        }
        Ok(())
    }
}

impl Sample {
    fn draw(self, area: &Area, (x, y): (i32, i32)) -> Result<()> {
        let end = x + SAMPLE as i32 - 8;
        match self {
            Sample::Line(shape, fill, dashed) => {
                stroke(area, &[(x, y), (end, y)], thick(fill.ink(), 2), dashed)?;
                if !dashed {
                    marker(area, ((x + end) / 2, y), shape, fill.ink())?;
                }
            }
            Sample::Surface(fill) => {
                area.draw(&Rectangle::new(
                    [(end - 16, y - 6), (end, y + 6)],
                    fill.ink().rgb().filled(),
                ))?;
            }
            Sample::Stroke => stroke(area, &[(end - 6, y - 8), (end - 6, y + 8)], thick(TEXT, 2), false)?,
            Sample::Disc => area.draw(&Circle::new((end - 6, y), 5, SOFT.rgb().filled()))?,
        }
        Ok(())
    }
}

pub fn thick(ink: Ink, width: u32) -> ShapeStyle {
    ink.rgb().stroke_width(width)
}

/// A line through pixels; dashed for what was predicted.
pub fn stroke(area: &Area, points: &[(i32, i32)], style: ShapeStyle, dashed: bool) -> Result<()> {
    if !dashed {
        return Ok(area.draw(&PathElement::new(points.to_vec(), style))?);
    }
    for dash in dashes(points) {
        area.draw(&PathElement::new(dash, style))?;
    }
    Ok(())
}

const DASH: f64 = 6.0;
const GAP: f64 = 4.0;

/// Cuts a line into dashes that go round its corners.
fn dashes(points: &[(i32, i32)]) -> Vec<Vec<(i32, i32)>> {
    let pixel = |(x, y): (f64, f64)| (x.round() as i32, y.round() as i32);
    let (mut out, mut dash) = (Vec::new(), Vec::new());
    let (mut on, mut left) = (true, DASH);
    for pair in points.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let along = |d: f64| {
            (
                from.0 + (to.0 - from.0) * d / length,
                from.1 + (to.1 - from.1) * d / length,
            )
        };
        let mut at = 0.0;
        if on && dash.is_empty() {
            dash.push(pixel(from));
        }
        while length - at > left {
            at += left;
            if on {
                dash.push(pixel(along(at)));
                out.push(std::mem::take(&mut dash));
            } else {
                dash.push(pixel(along(at)));
            }
            on = !on;
            left = if on { DASH } else { GAP };
        }
        left -= length - at;
        if on {
            dash.push(pixel(to));
        }
    }
    out.extend((dash.len() > 1).then_some(dash));
    out
}

/// A shape for each place in a report, so that lines are told apart without their colours.
pub fn marker(area: &Area, (x, y): (i32, i32), shape: usize, ink: Ink) -> Result<()> {
    let style = ink.rgb().filled();
    let polygon = |points: &[(i32, i32)]| {
        let points: Vec<(i32, i32)> = points.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        area.draw(&plotters::element::Polygon::new(points, style))
    };
    match shape % 7 {
        0 => area.draw(&Circle::new((x, y), 4, style))?,
        1 => polygon(&[(-4, -4), (4, -4), (4, 4), (-4, 4)])?,
        2 => polygon(&[(0, -5), (5, 4), (-5, 4)])?,
        3 => polygon(&[(0, -6), (6, 0), (0, 6), (-6, 0)])?,
        4 => polygon(&[(0, 5), (5, -4), (-5, -4)])?,
        5 => polygon(&[
            (-5, -2),
            (-2, -2),
            (-2, -5),
            (2, -5),
            (2, -2),
            (5, -2),
            (5, 2),
            (2, 2),
            (2, 5),
            (-2, 5),
            (-2, 2),
            (-5, 2),
        ])?,
        _ => area.draw(&Circle::new((x, y), 4, thick(ink, 2)))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_round_corners_and_leave_gaps() {
        let dashes = dashes(&[(0, 0), (8, 0), (8, 20)]);
        assert_eq!(dashes[0], [(0, 0), (6, 0)]);
        assert_eq!(dashes[1], [(8, 2), (8, 8)], "the gap went round the corner");
        assert!(
            dashes
                .iter()
                .flatten()
                .all(|(x, y)| (0..=8).contains(x) && (0..=20).contains(y))
        );
        assert_eq!(
            super::dashes(&[(0, 0), (4, 0), (4, 4)])[0],
            [(0, 0), (4, 0), (4, 2)]
        );
    }

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
        let svg = drawn(&about, (10, 10), |_| Ok(())).unwrap();
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
