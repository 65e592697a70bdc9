//! Runs whose measured bytes must equal the predicted ones, on a machine that may be busy.

use mailcall::outcome::Scenario;

/// How often the rate is halved.
const HALVES: u32 = 5;

/// Runs a scenario until `fits` accepts the outcome as predicted. If a thread sleeps through an arrival, two
/// mails may share an answer, a record or a write, which costs fewer bytes: so each further try halves the
/// rate of mail, messages and polls. Returns the last outcome; a wrong prediction is wrong at any rate.
pub fn at_a_pace_that_is_kept<O>(
    scenario: &Scenario,
    run: impl Fn(&Scenario) -> O,
    fits: impl Fn(&O) -> bool,
) -> O {
    let mut slower = scenario.clone();
    let mut outcome = run(&slower);
    for _ in 0..HALVES {
        if fits(&outcome) {
            break;
        }
        slower.rate_per_s /= 2.0;
        slower.poll_interval_ms *= 2.0;
        slower.talk_per_s = slower.talk_per_s.map(|rate| rate / 2.0);
        outcome = run(&slower);
    }
    outcome
}
