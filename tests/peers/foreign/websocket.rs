//! What a foreign WebSocket client has to see, whatever carries it.

use mailcall::outcome::Scenario;
use mailcall::technique::Routes;
use mailcall::wire::Direction::{Down, Up};

use super::{ALL, EARLY, Got, Peer, Site, Way, cut, expect, scenario};
use crate::support::until;

/// A client is cut at every kind of place, resumes, hears mail as it arrives, and closes.
pub fn resumes(peer: &Peer, way: Way, scenario: Scenario) {
    let cuts = [
        cut(0, Down, 60, false),
        cut(1, Down, 600, true),
        cut(2, Down, 1_000, false),
        cut(3, Up, 30, true),
        cut(4, Up, 300, false),
    ];
    let site = Site::with(&["ws"], way, &cuts, scenario, Routes::new());
    site.arrive(EARLY);
    let mut got = Got::after(0, &site);
    let start = |cursor: usize| peer.start(&site, &site.url("ws", &format!("/ws?after={cursor}")));
    for _ in cuts {
        let talk = start(got.cursor);
        assert_eq!(got.listen_until(&talk, "close"), "1006");
    }
    assert!(got.cursor > 0, "the cuts lay among the mails");
    until("the last is let go", || site.ledger.open() == 0);
    let (before, said) = (got.cursor, *site.replies.borrow());
    let mut talk = start(got.cursor);
    expect(&talk, "open mailcall");
    for upto in EARLY..=ALL {
        site.arrive(upto);
        got.listen(&talk, upto);
        if upto == EARLY {
            site.sit_out_heartbeats();
        }
    }
    talk.order("close");
    assert_eq!(got.listen_until(&talk, "close"), "1000");
    assert_eq!(*site.replies.borrow() - said, (ALL - before) as u64);
    assert_eq!(site.ledger.opened(), 1 + cuts.len() as u64);
    site.stop();
}

/// The server closes, in order, a client that is there when it stops.
pub fn sees_the_server_leave(peer: &Peer, way: Way) {
    let site = Site::start("ws", way, &[]);
    site.arrive(ALL);
    let talk = peer.start(&site, &site.url("ws", "/ws?after=0"));
    Got::after(0, &site).listen(&talk, ALL);
    site.server.shutdown.cancel();
    assert_eq!(Got::after(ALL, &site).listen_until(&talk, "close"), "1001");
    site.stop();
}

pub fn is_told_of_a_gap(peer: &Peer, way: Way) {
    let scenario = Scenario {
        keep: 4,
        ..scenario()
    };
    let site = Site::with(&["ws"], way, &[], scenario, Routes::new());
    site.arrive(ALL);
    let talk = peer.start(&site, &site.url("ws", "/ws?after=0"));
    expect(&talk, "gap 8");
    Got::after(8, &site).listen(&talk, ALL);
    drop(talk);
    site.stop();
}

/// Starts it, has it do something, and waits for what that leads to.
pub fn does(peer: &Peer, way: Way, orders: &[(&str, &str)]) {
    let site = Site::start("ws", way, &[]);
    let mut talk = peer.start(&site, &site.url("ws", "/ws?after=0"));
    expect(&talk, "open mailcall");
    for (order, seen) in orders {
        talk.order(order);
        expect(&talk, seen);
    }
    site.stop();
}
