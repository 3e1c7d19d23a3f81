//! The process by which an implementation that makes containers itself names one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use nix::unistd::Pid;

use super::Broken;
use super::protocol::{Hello, NAMESPACES, Reply};

/// Returns the process that the reply to `attach` names; none where netproof makes the containers.
///
/// It is about to be looked into, and ended when the container dies, so it has to be one of a container's.
///
/// # Errors
///
/// The reply names none and has to, or names one and may not; the process is not there, or stands in the
/// host's network namespace.
pub(crate) fn container_of(hello: &Hello, reply: &Reply) -> Result<Option<Pid>, Broken> {
    let pid = match (hello.has(NAMESPACES), reply.pid) {
        (false, None) => return Ok(None),
        (false, Some(_)) => {
            return wrong(format!(
                "the reply has a `pid`, and `hello` no `{NAMESPACES}`"
            ));
        }
        (true, None) => {
            return wrong(format!(
                "`hello` has `{NAMESPACES}`, and the reply no `pid`"
            ));
        }
        (true, Some(pid)) => pid,
    };
    let namespace = |of: &str| {
        let about = fs::metadata(format!("/proc/{of}/ns/net"));
        about.map(|about| (about.dev(), about.ino()))
    };
    let Ok(of_process) = namespace(&pid.to_string()) else {
        return wrong(format!("the reply names process {pid}, which is not there"));
    };
    // The runner itself stands in the namespace of `host`.
    if namespace("self").is_ok_and(|own| own == of_process) {
        return wrong(format!(
            "the reply names process {pid}, which is in the network namespace of host"
        ));
    }
    Ok(Some(Pid::from_raw(pid.cast_signed())))
}

fn wrong<T>(why: String) -> Result<T, Broken> {
    Err(Broken(why))
}
