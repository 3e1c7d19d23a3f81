//! Reports: from recorded events to text.
//!
//! Invariant: everything here is a function of events. It prints nothing and reads no clock.

mod doctor;
mod human;
mod pcapng;
mod way;

pub use doctor::doctor;
pub use human::Human;
pub use pcapng::pcapng;
