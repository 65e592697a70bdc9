//! The view of advice: each technique's costs for one client and for all, the recommendation, the reasons.

mod table;
mod usage;
mod verified;
mod view;
mod words;
