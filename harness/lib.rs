//! netproof proves that a container network works.
pub mod carried;
pub mod cli;
pub mod implement;
pub mod judge;
pub mod kernel;
pub mod observe;
pub mod report;
pub mod run;
pub mod scenario;
pub mod world;
