//! Everything that is tested from outside the library, apart from the scenarios.

#![expect(clippy::unwrap_used, reason = "a test: a panic is a failed case")]

mod ci;
mod claims;
mod cli;
mod committed;
mod conformance;
mod doctor;
mod documents;
mod explain;
mod implementations;
mod invalid;
mod judge;
mod layers;
mod packets;
mod runner;
mod schema;
mod show;
mod smoke;
mod verbs;
mod walkthroughs;
