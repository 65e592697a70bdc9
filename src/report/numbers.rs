//! The format of numbers: about three significant digits, and a unit.

use crate::lang::t;

/// The text for a quantity that was not measured or does not exist.
pub const NOTHING: &str = "–";

/// A number, or the text for none.
pub fn known(v: Option<f64>) -> String {
    v.map_or(NOTHING.into(), figure)
}

const BITS: [&str; 8] = [
    "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s", "Ebit/s", "Zbit/s",
];

/// `56 kbit/s`, `2.41 Gbit/s`: bits per second, by powers of 1,000.
pub fn speed(bits: f64) -> String {
    scaled_to(bits, &BITS)
}

/// A percentage, written as the language does.
pub fn percent(n: impl std::fmt::Display) -> String {
    t!("%{n} %", n = n)
}

/// In the largest unit that keeps it at least 1.
pub fn scaled_to(v: f64, units: &[&str]) -> String {
    let (mut v, mut unit) = (v, 0);
    while v >= 999.5 && unit + 1 < units.len() {
        (v, unit) = (v / 1e3, unit + 1);
    }
    format!("{} {}", figure(v), units[unit])
}

/// A number as one reads it aloud: `0.09`, `0.4`, `1.8`, `12.3`, `1,410`, `12.3M`. It has one decimal below 100, below
/// 0.1 one significant digit; whole numbers have no decimals.
pub fn figure(v: f64) -> String {
    if !v.is_finite() {
        return NOTHING.into();
    }
    let size = v.abs();
    match size {
        _ if size < 9_999_999.5 && (v - v.round()).abs() < 1e-9 * size.max(1.0) => thousands(v),
        _ if size < 0.095 => {
            let decimals = (1.0 - size.log10().floor()).clamp(2.0, 7.0) as usize - 1;
            format!("{v:.decimals$}")
        }
        _ if size < 99.95 => format!("{v:.1}"),
        _ if size < 9_999_999.5 => thousands(v),
        _ if size < 999.5e6 => format!("{}M", figure((v / 1e4).round() / 1e2)),
        _ if size < 999.5e9 => format!("{}G", figure((v / 1e7).round() / 1e2)),
        _ => format!("{v:.2e}"),
    }
}

fn thousands(v: f64) -> String {
    let digits = format!("{:.0}", v.abs());
    let mut out = String::from(if v.round() < 0.0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `±12`, `±3.2`, `±0.04`: from 10 on without decimals. Empty if it is not finite.
pub fn half_width(half_width: f64) -> String {
    match half_width {
        w if !w.is_finite() => String::new(),
        w if w >= 9.95 => format!("±{}", thousands(w)),
        w => format!("±{}", figure(w)),
    }
}

/// A difference: `+117`, `-3.1`.
pub fn plus(difference: f64) -> String {
    let sign = if difference < 0.0 { "" } else { "+" };
    format!("{sign}{}", figure(difference))
}

/// A ratio: `×1.43`, `×8.3`, `×1,220`.
pub fn times(ratio: f64) -> String {
    match ratio {
        r if r < 1.995 => format!("×{r:.2}"),
        r if r < 9.95 => format!("×{r:.1}"),
        r => format!("×{}", figure(r.round())),
    }
}

/// A latency: three digits and a unit.
pub fn waited(ms: f64) -> String {
    if ms >= 1_000.0 {
        format!("{} s", figure(ms / 1e3))
    } else {
        format!("{} ms", figure(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_that_mean_something() {
        let cases = [
            (0.0, "0"),
            (0.00001, "0.00001"),
            (0.0085, "0.009"),
            (0.0853, "0.09"),
            (0.9996, "1.0"),
            (1.0, "1"),
            (1.234, "1.2"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (99.96, "100"),
            (104.4, "104"),
            (999.6, "1,000"),
            (1_410.2, "1,410"),
            (1_234_567.0, "1,234,567"),
            (12_345_678.0, "12.3M"),
            (999_400_000.0, "999M"),
            (1_500_000_000.0, "1.5G"),
            (2e15, "2.00e15"),
            (-0.4, "-0.4"),
            (-1_500.0, "-1,500"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text, "{value}");
        }
        let ratios = [
            (1.03, "×1.03"),
            (1.996, "×2.0"),
            (8.34, "×8.3"),
            (9.96, "×10"),
            (1_220.4, "×1,220"),
        ];
        for (ratio, text) in ratios {
            assert_eq!(times(ratio), text);
        }
    }

    #[test]
    fn half_widths_are_no_more_precise_than_figures() {
        let cases = [
            (0.0, "±0"),
            (3.21, "±3.2"),
            (12.4, "±12"),
            (0.412, "±0.4"),
            (0.0047, "±0.005"),
            (0.00047, "±0.0005"),
            (99.4, "±99"),
            (99.6, "±100"),
            (1_234.0, "±1,234"),
            (f64::NAN, ""),
        ];
        for (half_width, text) in cases {
            assert_eq!(super::half_width(half_width), text, "{half_width}");
        }
    }
}
