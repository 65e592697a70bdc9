//! Lanes, drawn with characters and as SVG.

pub mod characters;
pub mod svg;
