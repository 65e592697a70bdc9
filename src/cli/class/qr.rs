//! QR codes of addresses (ISO/IEC 18004), for the board and for the terminal.

use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::render::unicode::Dense1x2;

/// As SVG; `None` if the address is too long.
pub fn svg(url: &str) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    let svg = code.render::<svg::Color>().min_dimensions(200, 200).build();
    // Without the XML declaration, which has no place inside a page.
    svg.find("<svg").map(|at| svg[at..].to_owned())
}

/// For a terminal: two rows in each line, with its margin. With `colour` it is black on white, whatever the terminal's
/// colours are; without, the light modules are drawn, because most terminals are dark.
pub fn text(url: &str, colour: bool) -> Option<String> {
    let code = QrCode::new(url).ok()?;
    let mut drawn = code.render::<Dense1x2>();
    if !colour {
        let swapped = drawn.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
        return Some(swapped.build());
    }
    let black_on_white = |line: &str| format!("\x1b[38;5;16;48;5;231m{line}\x1b[0m");
    let lines: Vec<String> = drawn.build().lines().map(black_on_white).collect();
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_code_for_pages_and_terminals() {
        let url = "http://192.168.0.5:8000/?code=4271";
        let svg = svg(url).unwrap();
        assert!(svg.starts_with("<svg") && !svg.contains("style="), "{svg}");
        let plain = text(url, false).unwrap();
        assert!(plain.lines().count() > 12 && plain.contains('█'), "{plain}");
        assert!(plain.starts_with('█'), "its margin is light: {plain}");
        assert!(text(url, true).unwrap().starts_with("\x1b[38;5;16;48;5;231m "));
        assert!(super::svg(&"x".repeat(10_000)).is_none());
    }
}
