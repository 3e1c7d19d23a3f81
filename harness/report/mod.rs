//! Reports: from recorded events to text.
//!
//! Invariant: everything here is a function of events. It prints nothing and reads no clock.

mod human;

pub use human::Human;
