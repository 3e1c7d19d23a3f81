//! Everything that is tested from outside the library, apart from the scenarios.

#![expect(clippy::unwrap_used, reason = "a test: a panic is a failed case")]

mod cli;
mod doctor;
mod invalid;
mod layers;
mod packets;
mod readme;
mod runner;
mod schema;
mod show;
