//! Whether figures can be trusted.

use serde::{Deserialize, Deserializer, Serialize};

use super::warning::Warning;

/// Whether the figures should be believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Trust {
    /// How late arrivals were after their schedule, 99th percentile; `None` where that was not observed.
    pub late_p99_us: Option<f64>,
    /// Whether the machine was too busy to measure.
    pub starved: bool,
    /// Each with what to change.
    pub warnings: Vec<Warning>,
}

impl Trust {
    /// Enters a warning; of two with the same cause the worse one stays.
    pub fn warn(&mut self, warning: Warning) {
        match self.warnings.iter_mut().find(|known| known.is_like(&warning)) {
            Some(known) if warning.is_worse_than(known) => *known = warning,
            Some(_) => {}
            None => self.warnings.push(warning),
        }
    }
}

/// As it stands in JSON.
#[derive(Serialize, Deserialize)]
struct Written {
    late_p99_us: Option<f64>,
    starved: bool,
    /// In words.
    warnings: Vec<String>,
    /// The same with its figures; files of older versions have none, of newer ones maybe others.
    #[serde(default, deserialize_with = "all_known")]
    warning_kinds: Vec<Warning>,
}

/// The warnings, if this version knows all of them; else none, because their words say the same.
fn all_known<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Warning>, D::Error> {
    let written = Vec::<serde_json::Value>::deserialize(from)?.into_iter();
    let known: Option<Vec<Warning>> = written.map(|kind| serde_json::from_value(kind).ok()).collect();
    Ok(known.unwrap_or_default())
}

impl From<Trust> for Written {
    fn from(trust: Trust) -> Written {
        Written {
            late_p99_us: trust.late_p99_us,
            starved: trust.starved,
            warnings: trust.warnings.iter().map(|w| w.text().to_string()).collect(),
            warning_kinds: trust.warnings,
        }
    }
}

impl From<Written> for Trust {
    fn from(written: Written) -> Trust {
        let told = written.warnings.into_iter().map(|text| Warning::Other { text });
        Trust {
            late_p99_us: written.late_p99_us,
            starved: written.starved,
            warnings: match written.warning_kinds {
                kinds if kinds.len() == told.len() => kinds,
                _ => told.collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_cause_the_worst_warning_stays() {
        let mut trust = Trust::default();
        for ms in [2.0, 9.0, 3.0] {
            trust.warn(Warning::LateArrivals { ms });
        }
        trust.warn(Warning::Reset);
        trust.warn(Warning::Reset);
        assert_eq!(
            trust.warnings,
            [Warning::LateArrivals { ms: 9.0 }, Warning::Reset]
        );
    }

    #[test]
    fn a_file_has_words_and_kinds_and_an_older_one_only_words() {
        let trust = Trust {
            warnings: vec![Warning::LateArrivals { ms: 9.0 }, Warning::Reset],
            ..Trust::default()
        };
        let mut written = serde_json::to_value(&trust).unwrap();
        assert_eq!(written["warning_kinds"][0]["kind"], "late_arrivals");
        assert_eq!(written["warning_kinds"][0]["ms"], 9.0);
        assert!(
            written["warnings"][0]
                .as_str()
                .unwrap()
                .starts_with("arrivals were up to 9.0 ms late")
        );
        assert_eq!(serde_json::from_value::<Trust>(written.clone()).unwrap(), trust);
        written["warning_kinds"][0]["kind"] = "of_the_future".into();
        let newer = serde_json::from_value::<Trust>(written.clone()).unwrap();
        assert!(newer.warnings.iter().all(|w| matches!(w, Warning::Other { .. })));
        written.as_object_mut().unwrap().remove("warning_kinds");
        let older = serde_json::from_value::<Trust>(written.clone()).unwrap();
        assert_eq!(older.warnings.len(), 2);
        assert_eq!(
            serde_json::to_value(&older).unwrap()["warnings"],
            written["warnings"]
        );
    }
}
