//! How large a scenario may be. What is larger is refused before anything runs; docs/format.md has the
//! same figures.

/// The largest scenario file in bytes: 1 MiB.
pub const SIZE_MAX: usize = 1 << 20;

/// The most values, keys included, that a file may hold, and that all its aliases may stand for.
pub const VALUES_MAX: usize = 10_000;

/// The most brackets and indentations that may be open at once.
pub const DEPTH_MAX: usize = 64;

/// The most anchors in a file.
pub const ANCHORS_MAX: usize = 50;

/// The most uses of anchors in a file.
pub const ALIASES_MAX: usize = 200;

/// The most nodes that a scenario may name: each is a network namespace of the machine.
pub const NODES_MAX: usize = 64;

/// The most operations that a scenario may have.
pub const OPERATIONS_MAX: usize = 1000;
