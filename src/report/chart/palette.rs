//! Colours that colour-blind readers can distinguish, each in two versions: on white and on near-black. Those
//! of the techniques are based on Okabe and Ito (Color Universal Design, 2008), with a contrast of at least
//! 3:1 to their page (WCAG 2.2, section 1.4.11). Those of the labels differ in lightness alone; payload,
//! which is not overhead, is pale.

use crate::wire::Label;

/// A colour on a light page, and the one that takes its place on a dark one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    light: u32,
    dark: u32,
}

const fn ink(light: u32, dark: u32) -> Ink {
    Ink { light, dark }
}

pub const TEXT: Ink = ink(0x1F2328, 0xE8EAED);
pub const SOFT: Ink = ink(0x5A636E, 0x9BA5B0);
pub const GRID: Ink = ink(0xE4E7EB, 0x2B3138);
pub const RULE: Ink = ink(0xAEB6BF, 0x58616B);
pub const PAGE: Ink = ink(0xFDFCFA, 0x14171B);

/// One for each technique, in the order of a report; the last is the baseline's.
const TECHNIQUES: [Ink; 9] = [
    ink(0xD05A00, 0xFF9447),
    ink(0x0068A8, 0x5CB3F2),
    ink(0x00805F, 0x35CC9C),
    ink(0xA8447F, 0xE893C3),
    ink(0x9A7400, 0xEBC14B),
    ink(0x1F8CB4, 0x7FDBF5),
    ink(0x6A5ACD, 0xB3A7FF),
    ink(0x7A2E1D, 0xD98C77),
    ink(0x6B7480, 0x98A2AE),
];

/// The labels in the order in which tables and charts show them: the mail first.
pub const SHOWN: [Label; Label::ALL.len()] = [
    Label::Payload,
    Label::Head,
    Label::Framing,
    Label::Control,
    Label::Tls,
];

/// What a label's bytes are drawn in.
const fn label(label: Label) -> Ink {
    match label {
        Label::Payload => ink(0xCDD3DA, 0x3D4650),
        Label::Head => ink(0x472066, 0xE6CCFA),
        Label::Framing => ink(0x8A56B0, 0xAE7FD4),
        Label::Control => ink(0xBE9AD6, 0x765199),
        Label::Tls => ink(0x2A8A94, 0x4FB9C4),
    }
}

/// What a surface or a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The technique at this index of a report.
    Technique(usize),
    /// The baseline, which every technique is compared with.
    Baseline,
    /// A label's bytes.
    Label(Label),
}

impl Fill {
    /// Its colour.
    pub fn ink(self) -> Ink {
        let last = TECHNIQUES.len() - 1;
        match self {
            Fill::Technique(n) => TECHNIQUES[n % last],
            Fill::Baseline => TECHNIQUES[last],
            Fill::Label(of) => label(of),
        }
    }
}

impl Ink {
    /// Its SVG value on a light page; [`dark`] replaces it on a dark one.
    pub fn light(self) -> String {
        let [light, _] = self.css();
        light
    }

    /// Its CSS and SVG values on a light page and on a dark one.
    pub fn css(self) -> [String; 2] {
        [self.light, self.dark].map(|rgb| format!("#{rgb:06X}"))
    }
}

/// The name of the CSS variable with a technique's colour.
pub fn variable(fill: Fill) -> String {
    let (last, ink) = (TECHNIQUES.len() - 1, fill.ink());
    let place = TECHNIQUES.iter().position(|t| *t == ink).unwrap_or(last);
    format!("--ink-{place}")
}

/// The declarations of these variables, for light and dark pages.
pub fn variables() -> String {
    let declared = |which: usize| {
        let each = TECHNIQUES
            .iter()
            .enumerate()
            .map(|(n, ink)| format!("--ink-{n}:{};", ink.css()[which]));
        each.collect::<String>()
    };
    format!(
        ":root{{{}}}@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}",
        declared(0),
        declared(1)
    )
}

/// The CSS rules that make charts dark if the reader prefers that. They match the colours of the light
/// version, so a chart on a light page needs no style sheet.
pub fn dark() -> String {
    let inks = [TEXT, SOFT, GRID, RULE, PAGE]
        .into_iter()
        .chain(TECHNIQUES)
        .chain(Label::ALL.map(label));
    let rules = inks.map(|ink| {
        let [light, dark] = ink.css();
        format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
    });
    format!(
        "@media screen and (prefers-color-scheme:dark){{{}}}",
        rules.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2, "relative luminance".
    fn luminance(rgb: u32) -> f64 {
        let [_, r, g, b] = rgb.to_be_bytes().map(|c| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: u32, b: u32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn lines_and_words_stand_out_from_their_page() {
        for (ink, least) in TECHNIQUES
            .map(|ink| (ink, 3.0))
            .into_iter()
            .chain([(TEXT, 7.0), (SOFT, 4.5)])
        {
            assert!(
                contrast(ink.light, PAGE.light) >= least,
                "{:06X} on white",
                ink.light
            );
            assert!(
                contrast(ink.dark, PAGE.dark) >= least,
                "{:06X} on black",
                ink.dark
            );
        }
    }

    #[test]
    fn no_two_techniques_of_a_report_look_the_same() {
        let all = crate::technique::ALL.len();
        assert!(all < TECHNIQUES.len(), "a technique more needs a colour more");
        assert!(all <= super::super::canvas::SHAPES.len() + 1, "and a marker more");
    }

    #[test]
    fn neighbouring_labels_differ_in_lightness() {
        for pair in SHOWN.map(label)[..4].windows(2) {
            assert!(contrast(pair[0].light, pair[1].light) > 1.3);
            assert!(contrast(pair[0].dark, pair[1].dark) > 1.3);
        }
    }

    #[test]
    fn no_two_inks_are_the_same_where_the_rules_go_by_them() {
        let mut all: Vec<u32> = [TEXT, SOFT, GRID, RULE, PAGE]
            .into_iter()
            .chain(TECHNIQUES)
            .chain(Label::ALL.map(label))
            .map(|ink| ink.light)
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5 + TECHNIQUES.len() + Label::ALL.len());
    }
}
