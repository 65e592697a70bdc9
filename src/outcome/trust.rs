//! Whether figures can be trusted.

use serde::{Deserialize, Serialize};

/// Whether the figures can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// How late arrivals were after their schedule, 99th percentile; `None` where that was not observed.
    pub late_p99_us: Option<f64>,
    /// Whether the machine was too busy to measure.
    pub starved: bool,
    /// Warnings, each with advice on what to change.
    pub warnings: Vec<String>,
}

/// A warning's text without its figures, which warnings with the same cause share, and its first figure,
/// which shows the worst of them.
pub fn cause(warning: &str) -> (String, f64) {
    let (words, figures) = apart(warning);
    let first = figures.first().and_then(|n| n.parse().ok());
    (words, first.unwrap_or(0.0))
}

/// A text with a `#` for each of its figures, and the figures.
pub fn apart(text: &str) -> (String, Vec<String>) {
    let (mut words, mut numbers) = (String::new(), Vec::new());
    for c in text.chars() {
        let in_number = words.ends_with('#') && (c.is_ascii_digit() || c == '.');
        match numbers.last_mut() {
            Some(number) if in_number => String::push(number, c),
            _ if c.is_ascii_digit() => {
                words.push('#');
                numbers.push(c.to_string());
            }
            _ => words.push(c),
        }
    }
    (words, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_its_words_and_how_bad_it_is() {
        let late = |ms: &str| {
            cause(&format!(
                "arrivals were up to {ms} ms late (99th percentile): close programs"
            ))
        };
        assert_eq!(late("3.2"), (late("17").0, 3.2));
        assert_eq!(late("17").1, 17.0);
        assert_ne!(late("3").0, cause("3 connections broke").0);
        assert_eq!(cause("no figure #"), ("no figure #".into(), 0.0));
        assert_eq!(cause("by 3. Then 4"), ("by # Then #".into(), 3.0));
        assert_eq!(cause(""), (String::new(), 0.0));
    }
}
