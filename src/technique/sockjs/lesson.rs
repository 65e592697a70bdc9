//! The sentence above the table: which transport worked, which failed, and the cost of a mail.

use super::super::list;
use super::names::{INFO, WEBSOCKET, XHR_POLLING};
use crate::lang::t;
use crate::outcome::{Attempt, Outcome};

pub fn lesson(outcome: &Outcome) -> String {
    let mut first = outcome
        .attempts
        .iter()
        .filter(|a| a.client == 0 && a.transport != INFO);
    let Some(works) = first.clone().find(|a| a.failed.is_none()) else {
        return t!("Nothing got through.");
    };
    let vain: Vec<&Attempt> = first.by_ref().take_while(|a| a.failed.is_some()).collect();
    let carried = outcome.carried().max(1) as f64;
    let per_mail = match works.transport == XHR_POLLING {
        true => outcome.overhead_bytes as f64 / carried,
        false => outcome.bytes.down.framing as f64 / carried,
    };
    let said = match list::posts(outcome) {
        1.. if works.transport != WEBSOCKET => t!("; what the client had to say took requests of its own"),
        _ => String::new(),
    };
    if vain.is_empty() {
        return t!(
            "%{transport} got through at once; a mail stands in a string in a list: %{bytes} bytes round each%{said}.",
            transport = works.transport,
            bytes = format!("{per_mail:.0}"),
            said = said
        );
    }
    let lost = vain.iter().map(|a| a.took_us).sum::<f64>() / 1e3;
    t!(
        "%{vain} failed, which took %{lost} ms and lost nothing; %{transport} got through, at %{bytes} bytes round each \
         mail%{said}.",
        vain = crate::lang::list(&vain.iter().map(|a| a.transport.as_str()).collect::<Vec<_>>()),
        lost = format!("{lost:.0}"),
        transport = works.transport,
        bytes = format!("{per_mail:.0}"),
        said = said
    )
}
