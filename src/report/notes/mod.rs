//! Sentences above and below the tables: the scenario, the delivery sheet, the warnings.

mod alarms;
mod amounts;
mod scenario;

pub use alarms::{absent, alarms, cannot_be, disturbances, faults, oddities};
pub use amounts::{Things, count, counted, duration, named, rate};
pub use scenario::{arrivals, held, polled, scenario, transport};
