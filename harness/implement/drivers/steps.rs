//! A request as a series of steps, each of which can end it.

use std::process::Command;

use super::command::{command, run};
use crate::implement::driver::Broken;
use crate::implement::protocol::Reply;

/// Why a request ends before its last step.
#[derive(Debug)]
pub(super) enum Stop {
    /// The program refused it, or failed.
    Refused {
        /// The program, or its own word or number for it.
        code: String,
        /// The program's own words.
        message: String,
    },
    /// The program does not do it.
    Lacks {
        /// A word for it.
        feature: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// There is no answer that can be read.
    Broken(Broken),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Makes a reply of how the steps of a request ended.
pub(super) fn reply(seq: u64, ended: Result<Reply, Stop>) -> Result<Reply, Broken> {
    match ended {
        Ok(reply) => Ok(reply),
        Err(Stop::Refused { code, message }) => Ok(Reply::failed(seq, code, message)),
        Err(Stop::Lacks { feature, reason }) => Ok(Reply::unsupported(seq, feature, reason)),
        Err(Stop::Broken(broken)) => Err(broken),
    }
}

/// Runs a command that has to succeed, and returns what it said.
pub(super) async fn must(program: &str, arguments: &[&str]) -> Result<String, Stop> {
    succeed(&mut command(program, arguments), "").await
}

/// Runs a command that has to succeed with `input`, and returns what it said.
pub(super) async fn succeed(command: &mut Command, input: &str) -> Result<String, Stop> {
    let said = run(command, input).await?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let program = command.get_program().to_string_lossy();
    let (errors, output) = (
        String::from_utf8_lossy(&said.stderr),
        String::from_utf8_lossy(&said.stdout),
    );
    let words = if errors.trim().is_empty() {
        output
    } else {
        errors
    };
    Err(Stop::Refused {
        code: program.rsplit('/').next().unwrap_or_default().to_owned(),
        message: words.trim().to_owned(),
    })
}

/// Returns the version in the first line that a program says of itself: its last word that begins with a
/// digit.
pub(super) fn version_in(said: &str) -> String {
    let words = said.lines().next().unwrap_or_default().split_whitespace();
    let mut numbers = words.filter(|word| word.starts_with(|it: char| it.is_ascii_digit()));
    numbers.next_back().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ovs-vswitchd (Open vSwitch) 3.1.0\nDPDK 22.11.7\n", "3.1.0")]
    #[case("slirp4netns version 1.2.0\ncommit: 656041d\n", "1.2.0")]
    #[case("systemd 252 (252.39-1~deb12u1)\n+PAM\n", "252")]
    #[case("", "")]
    fn the_version_is_the_number_in_the_first_line(#[case] said: &str, #[case] version: &str) {
        assert_eq!(version_in(said), version);
    }
}
