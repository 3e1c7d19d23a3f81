//! netproof proves that a container network works.
pub mod scenario;
