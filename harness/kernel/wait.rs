//! Waiting for descriptors, with a deadline.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until one of the descriptors can be read or is hung up; tells whether one could in time.
///
/// # Errors
///
/// The kernel's refusal, poll(2).
pub fn until_readable<'a>(
    fds: impl IntoIterator<Item = BorrowedFd<'a>>,
    deadline: Instant,
) -> Result<bool, Errno> {
    let mut fds: Vec<PollFd<'a>> = fds
        .into_iter()
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        // Rounded up: a wait of 0 ms would spin through the last millisecond.
        let left = left + Duration::from_millis(1);
        match poll(
            &mut fds,
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
        ) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

/// Tells whether one of the descriptors can be read or is hung up; does not wait.
///
/// # Errors
///
/// The kernel's refusal, poll(2).
pub fn is_readable<'a>(fds: impl IntoIterator<Item = BorrowedFd<'a>>) -> Result<bool, Errno> {
    let mut fds: Vec<PollFd<'a>> = fds
        .into_iter()
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    match poll(&mut fds, PollTimeout::ZERO) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}
