//! A small sequence diagram: the client at the left, the server at the right, time goes down.

use super::axis::About;
use super::canvas::{Canvas, Point, Side, drawn};
use super::palette::{Fill, RULE, SOFT, TEXT};

/// What crosses, from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// From the client to the server, with its name.
    Up(String),
    /// From the server to the client.
    Down(String),
    /// Something that happens at the server.
    AtServer(String),
}

const WIDTH: i32 = 200;
/// The lifelines of client and server.
const ENDS: [i32; 2] = [8, WIDTH - 8];
/// Pixels from one crossing to the next, and how far an arrow falls.
const PITCH: i32 = 26;
const FALL: i32 = 6;

/// Draws crossings between two named sides.
pub fn sequence(about: &About, sides: &[String; 2], crossings: &[Crossing], fill: Fill) -> String {
    let height = 30 + PITCH * crossings.len() as i32;
    drawn(about, (WIDTH as u32, height as u32), |canvas| {
        for ((x, side), name) in ENDS.into_iter().zip([Side::Left, Side::Right]).zip(sides) {
            let outer = if side == Side::Left { 0 } else { WIDTH };
            canvas.text((outer, 8), side, SOFT, name);
            canvas.line(&[(x, 20), (x, height - 2)], RULE, 1, false);
        }
        for (i, crossing) in (0..).zip(crossings) {
            one(canvas, crossing, 38 + PITCH * i, fill);
        }
    })
}

fn one(canvas: &mut Canvas, crossing: &Crossing, y: i32, fill: Fill) {
    let [client, server] = ENDS;
    let (from, to, name) = match crossing {
        Crossing::Up(name) => (client, server, name),
        Crossing::Down(name) => (server, client, name),
        Crossing::AtServer(name) => {
            canvas.disc((server, y + 2), 5, TEXT);
            canvas.text((server - 12, y + 2), Side::Right, TEXT, name);
            return;
        }
    };
    let tip: Point = (to, y + FALL);
    let back = if to > from { -7 } else { 7 };
    canvas.line(&[(from, y), tip], fill.ink(), 2, false);
    canvas.line(
        &[(to + back, y + FALL - 5), tip, (to + back, y + FALL + 3)],
        fill.ink(),
        2,
        false,
    );
    canvas.text((WIDTH / 2, y - 7), Side::Center, TEXT, name);
}
