//! netproof proves that a container network works.
pub mod kernel;
pub mod scenario;
pub mod world;
