//! The commands themselves: what a scenario's operations stand for, typed into a shell.
//!
//! It is the proof that they do stand for that. It needs `ip`, `iptables`, `ip6tables` and `sysctl`.

use std::process::Command;

use nix::errno::Errno;

use super::{Applied, Implementation, OperationError};
use crate::kernel::KernelError;
use crate::scenario::{Netns, Operation};
use crate::world::{World, run_to_end};

/// Where commands are looked for: a world has no environment.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The exit code of a shell that does not find a command, sh(1).
const NOT_FOUND: i32 = 127;

/// What tools say in place of the sentence of an error number. iproute2 looks interfaces up by
/// itself, and where the kernel gives a sentence of its own it prints only that.
const SENTENCES: &[(&str, Errno)] = &[
    ("Cannot find device", Errno::ENODEV),
    ("Device does not exist", Errno::ENODEV),
    ("Device for nexthop is not up", Errno::ENETDOWN),
    ("Nexthop has invalid gateway", Errno::ENETUNREACH),
    ("Unknown device type", Errno::EOPNOTSUPP),
    ("mtu less than device minimum", Errno::EINVAL),
    ("IPv6 is disabled on this device", Errno::EACCES),
];

/// Carries operations out by running the commands that they stand for in `host`.
#[derive(Debug, Default)]
pub struct Shell;

impl Implementation for Shell {
    fn name(&self) -> &str {
        "shell"
    }

    fn apply<'a>(&'a mut self, world: &'a mut World, operation: &'a Operation) -> Applied<'a> {
        Box::pin(carry_out(world, operation))
    }
}

async fn carry_out(world: &mut World, operation: &Operation) -> Result<(), OperationError> {
    if let Operation::Listen(_) | Operation::Tunnel(_) | Operation::Exec(_) = operation {
        return Err(OperationError::HarnessOnly(operation.verb()));
    }
    run(&operation.command())
        .await
        .map_err(|error| match error {
            OperationError::Refused(reason) if reason.is_unsupported() => {
                OperationError::Unsupported {
                    feature: operation.verb(),
                    reason,
                }
            }
            // `ip tuntap` says only this of a missing or closed `/dev/net/tun`.
            OperationError::Refused(reason)
                if matches!(operation, Operation::Tun(_) | Operation::Tap(_))
                    && reason
                        .sentence
                        .as_ref()
                        .is_some_and(|it| it.starts_with("open: ")) =>
            {
                OperationError::Unsupported {
                    feature: operation.verb(),
                    reason,
                }
            }
            error => error,
        })?;
    match operation {
        Operation::Netns(Netns {
            add: Some(name), ..
        }) => Ok(world.adopt_node(name)?),
        Operation::Netns(Netns {
            delete: Some(name), ..
        }) => Ok(world.forget_node(name).await?),
        _ => Ok(()),
    }
}

/// Runs a command to its end. The runner's network namespace is `host`, and the command's too.
async fn run(command: &str) -> Result<(), OperationError> {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C");
    let (status, said) = run_to_end(&mut shell).await?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    if status.code() == Some(NOT_FOUND) {
        return Err(OperationError::Unsupported {
            feature: "such command",
            reason: refusal(&said, Errno::ENOENT),
        });
    }
    Err(refusal(&said, Errno::EIO).into())
}

/// Reads out of what a tool said which error number the kernel gave it; `otherwise` where it does
/// not tell.
fn refusal(said: &str, otherwise: Errno) -> KernelError {
    let sentence = last_line(said);
    let errno = errno_named(sentence).unwrap_or(otherwise);
    KernelError {
        errno,
        sentence: (!sentence.is_empty()).then(|| sentence.to_owned()),
    }
}

/// The last thing that a tool said, without the word that it says so with.
pub(super) fn last_line(said: &str) -> &str {
    let line = said
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
        .trim_end_matches('.');
    line.strip_prefix("Error: ").unwrap_or(line)
}

fn errno_named(line: &str) -> Option<Errno> {
    const ERRNO_MAX: i32 = 133;
    let in_other_words = SENTENCES
        .iter()
        .find(|(words, _)| line.contains(words))
        .map(|(_, errno)| *errno);
    let last = line.rsplit(": ").next().unwrap_or(line);
    in_other_words.or_else(|| {
        (1..=ERRNO_MAX)
            .map(Errno::from_raw)
            .find(|errno| KernelError::from_errno(*errno).errno_sentence() == last)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::netlink("RTNETLINK answers: File exists\n", Errno::EEXIST)]
    #[case::file(
        "Cannot create namespace file \"/run/netns/web\": File exists\n",
        Errno::EEXIST
    )]
    #[case::lookup("Cannot find device \"br9\"\n", Errno::ENODEV)]
    #[case::argument(
        "Error: argument \"br9\" is wrong: Device does not exist\n\n",
        Errno::ENODEV
    )]
    #[case::only_the_kernels_sentence("Error: Device for nexthop is not up.\n", Errno::ENETDOWN)]
    #[case::something_else("usage: ip ...\n", Errno::EIO)]
    #[case::nothing("", Errno::EIO)]
    fn the_error_number_is_read_out_of_what_a_tool_says(#[case] said: &str, #[case] errno: Errno) {
        assert_eq!(refusal(said, Errno::EIO).errno, errno);
    }

    #[test]
    fn the_kernels_sentence_is_kept() {
        let refused = refusal("Error: Device for nexthop is not up.\n", Errno::EIO);
        assert!(refused.is("Network is down") && refused.is("Device for nexthop is not up"));
    }

    #[test]
    fn a_command_that_is_not_there_is_no_refusal_of_the_kernel() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let error = runtime
            .block_on(run("no-such-command-of-netproof"))
            .unwrap_err();
        assert!(matches!(error, OperationError::Unsupported { .. }));
    }
}
