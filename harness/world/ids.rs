//! The ids of tier `subuid`: 65,536 of them, as a rootless container runtime has.
//!
//! A process that has entered a new user namespace may map its own id into it and no other,
//! user_namespaces(7). So a *mapper* is forked before, stays outside, and maps when it is told to.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::waitpid;
use nix::unistd::{
    ForkResult, Gid, Pid, Uid, User, getpid, getuid, pipe2, setgid, setgroups, setuid,
};

use super::error::{Stage, WorldError};
use super::isolate::end;
use super::sys;
use crate::kernel::KernelError;

/// How many ids there are: those that containers count on, up to `nobody`.
const COUNT: u32 = 65_536;

/// The first of those that root maps, who may map any: where distributions begin to hand them out.
const FIRST: u32 = 100_000;

/// Where the setuid programs are; a world has no `PATH`. The last is that of NixOS.
const FOLDERS: &[&str] = &[
    "/usr/bin",
    "/usr/sbin",
    "/bin",
    "/usr/local/bin",
    "/run/wrappers/bin",
];

/// What maps one kind of ids, and who may have which.
struct Kind {
    file: &'static str,
    program: &'static str,
    ranges: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        file: "uid_map",
        program: "newuidmap",
        ranges: "/etc/subuid",
    },
    Kind {
        file: "gid_map",
        program: "newgidmap",
        ranges: "/etc/subgid",
    },
];

/// A process outside of the new user namespace that will map its ids.
pub(super) struct Mapper {
    process: Pid,
    go: fs::File,
    answer: fs::File,
}

impl Mapper {
    /// Forks the mapper; the calling process has one thread, and enters its namespace next.
    pub(super) fn prepare() -> Result<Self, WorldError> {
        let failed = |errno: Errno| WorldError::new(Stage::Process, errno);
        let pipe = || -> Result<(fs::File, fs::File), WorldError> {
            let (from, to): (OwnedFd, OwnedFd) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
            Ok((from.into(), to.into()))
        };
        let ((mut told, go), (answer, mut answers)) = (pipe()?, pipe()?);
        let shim = getpid();
        match sys::fork().map_err(failed)? {
            ForkResult::Parent { child } => Ok(Self {
                process: child,
                go,
                answer,
            }),
            ForkResult::Child => {
                // Else it would hold the pipe open by which it sees that the shim is gone.
                drop((go, answer));
                let mut byte = [0];
                if told.read_exact(&mut byte).is_ok() {
                    let _ = answers.write_all(told_of(map(shim)).as_bytes());
                }
                end(0)
            }
        }
    }

    /// Has the ids mapped, now that the calling process is in its new user namespace, and becomes
    /// the root of it.
    pub(super) fn map(mut self) -> Result<(), WorldError> {
        let mut said = String::new();
        let heard = self
            .go
            .write_all(b"m")
            .and_then(|()| self.answer.read_to_string(&mut said));
        while waitpid(self.process, None) == Err(Errno::EINTR) {}
        heard.map_err(|error| WorldError::new(Stage::Process, KernelError::from_io(&error)))?;
        understood(&said)?;
        become_root().map_err(|errno| WorldError::new(Stage::IdRange, errno))
    }
}

/// Leaves the id that the process came with, which the namespace does not have.
fn become_root() -> Result<(), Errno> {
    setgroups(&[])?;
    setgid(Gid::from_raw(0))?;
    setuid(Uid::from_raw(0))?;
    // Who changes its id may not be looked into (prctl(2), PR_SET_DUMPABLE), and its files under
    // /proc would be those of the machine's root, whom the namespace does not have either.
    nix::sys::prctl::set_dumpable(true)
}

/// Maps the ids of a process in a new user namespace.
fn map(process: Pid) -> Result<(), WorldError> {
    for kind in &KINDS {
        let file = format!("/proc/{process}/{}", kind.file);
        match fs::write(&file, format!("0 {FIRST} {COUNT}\n")) {
            // Not root, or one that does not have these ids itself.
            Err(error) if error.raw_os_error() == Some(Errno::EPERM as i32) => ask(process, kind)?,
            done => done.map_err(|error| refused(&file, KernelError::from_io(&error)))?,
        }
    }
    Ok(())
}

/// Has the program map the ids that this user was given.
fn ask(process: Pid, kind: &Kind) -> Result<(), WorldError> {
    let user = getuid();
    let name = User::from_uid(user).ok().flatten().map(|user| user.name);
    let text = fs::read_to_string(kind.ranges).unwrap_or_default();
    let words = arguments(&ranges(&text, &user.to_string(), name.as_deref()))
        .ok_or_else(|| refused(kind.ranges, Errno::ENODATA.into()))?;
    let program = FOLDERS
        .iter()
        .map(|folder| Path::new(folder).join(kind.program))
        .find(|path| path.exists())
        .ok_or_else(|| refused(kind.program, Errno::ENOENT.into()))?;
    let done = Command::new(program)
        .arg(process.to_string())
        .args(words.iter().map(u32::to_string))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| refused(kind.program, KernelError::from_io(&error)))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let sentence = said.lines().next().map(str::to_owned);
    let errno = Errno::EPERM;
    Err(refused(kind.program, KernelError { errno, sentence }))
}

fn refused(what: &str, reason: KernelError) -> WorldError {
    WorldError::new(Stage::IdRange, reason).detail(what)
}

/// Reads who was given which ids, subuid(5): name or number, first id, how many.
fn ranges(text: &str, user: &str, name: Option<&str>) -> Vec<(u32, u32)> {
    let given = |line: &str| {
        let mut words = line.trim().split(':');
        let whose = words.next()?;
        let range = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        (whose == user || Some(whose) == name).then_some(range)
    };
    text.lines().filter_map(given).collect()
}

/// Puts ranges together to as many ids as are wanted: for each, its first id inside, its first
/// outside and how many. `None` where they are too few.
fn arguments(ranges: &[(u32, u32)]) -> Option<Vec<u32>> {
    let (mut words, mut have) = (Vec::new(), 0);
    for (first, count) in ranges {
        let taken = (*count).min(COUNT - have);
        if taken > 0 {
            words.extend([have, *first, taken]);
            have += taken;
        }
    }
    (have == COUNT).then_some(words)
}

/// What the mapper writes: an error number, what it is about and a sentence, a line each.
fn told_of(result: Result<(), WorldError>) -> String {
    let Err(error) = result else {
        return "0\n\n\n".to_owned();
    };
    let detail = error.detail.unwrap_or_default();
    let sentence = error.reason.sentence.unwrap_or_default();
    format!("{}\n{detail}\n{sentence}\n", error.reason.errno as i32)
}

fn understood(said: &str) -> Result<(), WorldError> {
    let mut lines = said.lines();
    let mut line = || lines.next().filter(|line| !line.is_empty());
    // It was killed.
    let unheard = || WorldError::new(Stage::Process, Errno::ECHILD);
    let number = line().and_then(|word| word.parse().ok());
    match number.ok_or_else(unheard)? {
        0 => Ok(()),
        number => {
            let (detail, sentence) = (line().unwrap_or_default(), line().map(str::to_owned));
            let errno = Errno::from_raw(number);
            Err(refused(detail, KernelError { errno, sentence }))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::by_name("ann:100000:65536\n", &[0, 100_000, 65_536])]
    #[case::by_number("1000:7:65536", &[0, 7, 65_536])]
    #[case::no_more_than_needed("ann:5:70000", &[0, 5, 65_536])]
    #[case::of_several("bob:1:65536\nann:10:65000\nann:90000:9000", &[0, 10, 65_000, 65_000, 90_000, 536])]
    #[case::what_comes_after("ann:10:65536\nann:90000:9000", &[0, 10, 65_536])]
    fn a_user_has_what_was_given(#[case] text: &str, #[case] words: &[u32]) {
        let given = ranges(text, "1000", Some("ann"));
        assert_eq!(arguments(&given).as_deref(), Some(words));
    }

    #[rstest]
    #[case::nobody_is_named("")]
    #[case::another("bob:100000:65536")]
    #[case::too_few("ann:100000:65535")]
    #[case::nonsense("ann\nann:x:65536\nann:1:-1\nann:1:")]
    fn too_few_are_none(#[case] text: &str) {
        assert_eq!(arguments(&ranges(text, "1000", Some("ann"))), None);
    }

    #[test]
    fn what_the_mapper_tells_is_understood() {
        assert_eq!(understood(&told_of(Ok(()))), Ok(()));
        for sentence in [None, Some("write to uid_map failed".to_owned())] {
            let errno = Errno::EPERM;
            let error = refused("newuidmap", KernelError { errno, sentence });
            assert_eq!(understood(&told_of(Err(error.clone()))), Err(error));
        }
        assert!(understood("").is_err());
    }
}
