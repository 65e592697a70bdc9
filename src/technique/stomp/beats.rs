//! Heart-beats: how often each side has to send something (STOMP 1.2, "Heart-beating").

use std::time::Duration;

use crate::wire::stomp::Frame;

/// The longest time between two heart-beats of each side; `None` if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beats {
    /// This side's.
    pub ours: Option<Duration>,
    /// The other side's.
    pub theirs: Option<Duration>,
}

impl Beats {
    /// The agreement of two sides, in milliseconds: each states how often it can send heart-beats and how
    /// often it wants them, 0 for never; the longer time applies (section "Heart-beating").
    pub fn agreed(ours: (u64, u64), theirs: (u64, u64)) -> Beats {
        let seldomer =
            |can: u64, wanted: u64| (can > 0 && wanted > 0).then(|| Duration::from_millis(can.max(wanted)));
        Beats {
            ours: seldomer(ours.0, theirs.1),
            theirs: seldomer(theirs.0, ours.1),
        }
    }
}

/// Reads the `heart-beat` header; without one, both numbers are 0.
pub fn heart_beat(frame: &Frame) -> Option<(u64, u64)> {
    let Some(value) = frame.header("heart-beat") else {
        return Some((0, 0));
    };
    let (can, wanted) = value.split_once(',')?;
    Some((can.trim().parse().ok()?, wanted.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stomp::Command;

    #[test]
    fn the_seldomer_of_two_wishes_holds() {
        let ms = |n| Some(Duration::from_millis(n));
        let beats = |ours, theirs| Beats { ours, theirs };
        assert_eq!(Beats::agreed((10, 20), (30, 40)), beats(ms(40), ms(30)));
        assert_eq!(Beats::agreed((50, 60), (30, 40)), beats(ms(50), ms(60)));
        assert_eq!(Beats::agreed((10, 20), (0, 40)), beats(ms(40), None));
        assert_eq!(Beats::agreed((10, 0), (30, 40)), beats(ms(40), None));
        assert_eq!(Beats::agreed((0, 20), (30, 40)), beats(None, ms(30)));
        assert_eq!(Beats::agreed((10, 20), (0, 0)), Beats::default());
    }

    #[test]
    fn a_heart_beat_header_is_two_numbers() {
        let of = |value: &str| heart_beat(&Frame::new(Command::Connect).with("heart-beat", value));
        assert_eq!(heart_beat(&Frame::new(Command::Connect)), Some((0, 0)));
        assert_eq!((of("100,0"), of("1, 2")), (Some((100, 0)), Some((1, 2))));
        for value in ["", "100", "a,b", "-1,0", "1,2,3"] {
            assert_eq!(of(value), None, "{value}");
        }
    }
}
