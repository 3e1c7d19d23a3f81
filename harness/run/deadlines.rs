//! How long operations and steps may take.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};

use crate::world::deadline;

/// How long the parts of a scenario may take; the scenario as a whole has
/// [`Launch::deadline`](crate::world::Launch::deadline).
///
/// They are looked at whenever the runner waits for an answer of the kernel or the end of a command.
/// What it waits for otherwise has a deadline of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// One operation.
    pub operation: Duration,
    /// One step, or what is given.
    pub step: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            operation: deadline::OPERATION,
            step: deadline::STEP,
        }
    }
}

impl Deadlines {
    /// Gives operations as long, and steps no less than they need for that: as many times longer as by
    /// default, and never shorter.
    #[must_use]
    pub fn of_operation(operation: Duration) -> Self {
        let times = deadline::STEP.as_secs_f64() / deadline::OPERATION.as_secs_f64();
        Self {
            operation,
            step: deadline::STEP.max(operation.mul_f64(times)),
        }
    }

    /// Returns how long a scenario has whose steps have as long.
    pub(super) fn of_scenario(&self) -> Duration {
        let times = deadline::SCENARIO.as_secs_f64() / deadline::STEP.as_secs_f64();
        deadline::SCENARIO.max(self.step.mul_f64(times))
    }
}

/// Something was not done in its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late(Duration);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not done after {} s", self.0.as_secs_f64())
    }
}

/// Does work, and drops it where it is not done in its time.
pub(super) async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Result<T, Late> {
    if time.is_zero() {
        // The timer counts milliseconds and rounds up; no time at all is exact, for tests.
        return work.now_or_never().ok_or(Late(time));
    }
    tokio::time::timeout(time, work)
        .await
        .map_err(|_| Late(time))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::shorter(2, 120, 300)]
    #[case::the_default(30, 120, 300)]
    #[case::longer(60, 240, 600)]
    fn what_is_around_an_operation_has_no_less_time(
        #[case] operation: u64,
        #[case] step: u64,
        #[case] scenario: u64,
    ) {
        let deadlines = Deadlines::of_operation(Duration::from_secs(operation));
        assert_eq!(deadlines.operation, Duration::from_secs(operation));
        assert_eq!(deadlines.step, Duration::from_secs(step));
        assert_eq!(deadlines.of_scenario(), Duration::from_secs(scenario));
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(work)
    }

    #[test]
    fn what_hangs_ends_at_its_deadline_and_not_before() {
        let time = Duration::from_secs(30);
        let (late, passed) = run(async {
            let begun = tokio::time::Instant::now();
            let late = within(time, std::future::pending::<()>()).await;
            (late, begun.elapsed())
        });
        assert_eq!(late.unwrap_err().to_string(), "not done after 30 s");
        assert_eq!(passed, time);
    }

    #[test]
    fn what_is_done_in_time_is_handed_on() {
        let done = run(within(Duration::ZERO, async { 7 }));
        assert_eq!(done, Ok(7));
    }

    #[test]
    fn the_deadline_that_is_nearer_ends_it() {
        let Deadlines { operation, step } = Deadlines::default();
        let late = run(within(
            step,
            within(operation, std::future::pending::<()>()),
        ));
        assert_eq!(late, Ok(Err(Late(operation))));
    }
}
