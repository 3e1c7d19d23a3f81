//! Reports: from recorded events to text.
//!
//! Invariant: everything here is a function of events. It prints nothing and reads no clock.

mod claims;
mod doctor;
mod human;
mod junit;
mod matrix;
mod pcapng;
mod smoke;
mod walkthrough;
mod way;

pub use claims::{claims_as_markdown, claims_as_table};
pub use doctor::doctor;
pub use human::Human;
pub use junit::Junit;
pub use matrix::{
    matrix_as_junit, matrix_as_markdown, matrix_as_table, matrix_changes, matrix_has_red,
    matrix_row, matrix_without_rows,
};
pub use pcapng::pcapng;
pub use smoke::{is_not_tried, smoke_line, smoke_not_tried};
pub use walkthrough::{Shown, Walkthrough};
