//! Simulated runs: what they cost agrees with what a real run measures, and each can be repeated.

use mailcall::lab::{Lab, Run, Simulated};
use mailcall::outcome::{Outcome, Scenario};
use mailcall::technique::{self, Technique};
use std::time::Duration;

fn simulate(technique: &'static Technique, scenario: Scenario) -> Outcome {
    let lab = Lab {
        simulated: Some(Simulated::default()),
        ..Lab::new(scenario).unwrap()
    };
    Run::new(&lab, technique, Duration::ZERO).simulate().unwrap()
}

#[test]
fn look() {
    for technique in technique::ALL {
        let began = std::time::Instant::now();
        let o = simulate(technique, Scenario::default());
        println!(
            "{} {:?} {:?} req {:?} mails {:?}",
            technique.name,
            began.elapsed(),
            o.latency_us,
            o.requests,
            o.mails
        );
        println!("   {:?}\n   {:?}", o.bytes.up, o.bytes.down);
    }
}
