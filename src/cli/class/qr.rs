//! QR codes of addresses (ISO/IEC 18004), for the board and for the terminal.

use qrcode::QrCode;
use qrcode::render::{svg, unicode};

/// As SVG; `None` if the address is too long.
pub fn svg(url: &str) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    let svg = code.render::<svg::Color>().min_dimensions(200, 200).build();
    // Without the XML declaration, which has no place inside a page.
    svg.find("<svg").map(|at| svg[at..].to_owned())
}

/// For a terminal: two rows in each line, light on dark, with its margin.
pub fn text(url: &str) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    Some(code.render::<unicode::Dense1x2>().build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_code_for_pages_and_terminals() {
        let url = "http://192.168.0.5:8000/?code=4271";
        let svg = svg(url).unwrap();
        assert!(svg.starts_with("<svg") && !svg.contains("style="), "{svg}");
        let text = text(url).unwrap();
        assert!(text.lines().count() > 12 && text.contains('█'), "{text}");
        assert!(super::svg(&"x".repeat(10_000)).is_none());
    }
}
