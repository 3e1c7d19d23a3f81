//! Everything that is tested from outside the library, apart from the scenarios.

mod invalid;
mod layers;
mod readme;
