//! Every deadline of a run. What is waited for is always an event; a deadline only ends what has
//! gone wrong.
//!
//! Each is longer than those inside of it, so that the one that is nearest to what hangs speaks
//! first.

use std::time::Duration;

/// How long a world may live: one scenario.
pub const SCENARIO: Duration = Duration::from_secs(300);

/// How long one step may take, with its expectations and its snapshot.
pub const STEP: Duration = Duration::from_secs(120);

/// How long one operation may take. The kernel needs milliseconds for most, and for the longest, the
/// deletion of a node, what `DISSOLVE` grants.
pub const OPERATION: Duration = Duration::from_secs(30);

/// How long the kernel may take to dissolve a deleted node.
pub(super) const DISSOLVE: Duration = Duration::from_secs(20);

/// How long links may take to settle, apart from the delays of the spanning tree protocol. The
/// kernel needs 3 to 48 ms; a loaded machine multiplies that.
pub(super) const SETTLE: Duration = Duration::from_secs(20);

/// How long one attempt of a probe may take to come to rest. A fence needs microseconds and a silent
/// neighbour 20 ms; the rest is for a machine that has more to do.
pub const QUIET: Duration = Duration::from_secs(10);

/// How long a program of others may take to go once it is asked to, before it is killed.
pub const GRACE: Duration = Duration::from_millis(500);
/// How long an answer is waited for when a probe ended at a process that forwards packets, and
/// everything rests. No fence goes through a process, and what it keeps for later nobody sees: this is
/// the one deadline by which a verdict is made. It is longer than the second for which libslirp keeps a
/// packet whose receiver it asks for (`if_encap4`).
pub const KEPT: Duration = Duration::from_millis(1500);

/// How long a world may take to go once its lifeline is cut, before it is killed.
pub(super) const LEAVING: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest that a port of a bridge listens and learns, IEEE 802.1D: 30 seconds each.
    const SPANNING_TREE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_inside_has_less_time() {
        assert!(DISSOLVE < OPERATION);
        assert!(OPERATION + GRACE < STEP && SETTLE + SPANNING_TREE < STEP && QUIET < STEP);
        assert!(STEP < SCENARIO);
    }
}
