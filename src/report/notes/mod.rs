//! Sentences above and below the tables: the scenario, the delivery sheet, the warnings.

mod amounts;
mod scenario;
mod waits;
mod warnings;

pub use amounts::{Things, count, counted, duration, named, rate};
pub use scenario::{arrivals, held, polled, scenario, scenario_of, transport};
pub use waits::all_waits;
pub use warnings::{absent, cannot_be, disturbances, faults, oddities, warnings, warnings_about};
