//! Reports: from recorded events to text.
//!
//! Invariant: everything here is a function of events. It prints nothing and reads no clock.

mod claims;
mod doctor;
mod human;
mod pcapng;
mod walkthrough;
mod way;

pub use claims::{claims_as_markdown, claims_as_table};
pub use doctor::doctor;
pub use human::Human;
pub use pcapng::pcapng;
pub use walkthrough::{Shown, Walkthrough};
