//! What a world has for programs of others: places to write in that end with it, and nothing else of
//! the machine that could be written.
//!
//! All places are folders of one tmpfs, so that one limit holds for them together. `/etc` has copies of
//! what everybody may read there, the others are empty or have empty folders where programs expect
//! some, so that a program finds the same in every tier. An overlay would do without copies, but it
//! cannot change what belongs to an id that the user namespace does not have.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};

use super::error::{Stage, WorldError};
use super::sys;
use crate::kernel::{KernelError, sysctl};

/// What a world has beside its namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interior {
    /// `/proc`, `/sys` and an empty `/run` of its own; all else is the machine's.
    #[default]
    Bare,
    /// For programs of others: what they can write ends with the world.
    Furnished {
        /// Files and folders of the machine that stay where they are, to be read, also where the
        /// world has a place of its own: a program that stands below `/tmp`.
        visible: Vec<PathBuf>,
    },
}

impl Interior {
    /// Makes one in which a program is seen with what stands beside it, also where the world has a place
    /// of its own; the program alone where its folder is such a place.
    pub fn showing(program: &Path) -> Self {
        let folder = program.parent().unwrap_or(program);
        let whole = PLACES
            .iter()
            .any(|place| Path::new(place.at).starts_with(folder));
        let visible = if whole { program } else { folder };
        Self::Furnished {
            visible: vec![visible.to_owned()],
        }
    }
}

/// Where a program of others works in a furnished world.
pub const WORKDIR: &str = "/run/netproof";

/// The whole of what can be written: bytes, and files.
const LIMITS: &str = "mode=0755,size=256m,nr_inodes=65536";

/// How many processes there can be at once, so that a fork bomb stays small.
const PROCESSES: &str = "4096";

/// Since when the limit is that of a pid namespace, and not of the machine.
const PROCESSES_SINCE: (u32, u32) = (6, 14);

/// Larger files of `/etc` are left out: caches and databases of hardware.
const COPIED: u64 = 1024 * 1024;

/// Where the tmpfs is filled before its folders go to their places; the last of these.
const STAGE: &str = "/tmp";

/// What a place has at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contents {
    Nothing,
    /// Empty folders, as many and as named as the machine's.
    Folders,
    /// Copies of what everybody may read.
    Copies,
    Devices,
}

pub(super) struct Place {
    pub(super) at: &'static str,
    mode: u32,
    has: Contents,
}

const fn place(at: &'static str, mode: u32, has: Contents) -> Place {
    Place { at, mode, has }
}

pub(super) const PLACES: &[Place] = &[
    place("/dev", 0o755, Contents::Devices),
    place("/etc", 0o755, Contents::Copies),
    place("/root", 0o700, Contents::Nothing),
    place("/run", 0o755, Contents::Nothing),
    // An empty cgroup tree, which none is: programs take it for a machine without.
    place("/sys/fs/cgroup", 0o755, Contents::Nothing),
    place("/var/cache", 0o755, Contents::Folders),
    place("/var/lib", 0o755, Contents::Folders),
    place("/var/log", 0o755, Contents::Folders),
    place("/var/tmp", 0o1777, Contents::Nothing),
    place(STAGE, 0o1777, Contents::Nothing),
];

/// The devices that a container has, and the one of forwarders in user space.
const DEVICES: &[&str] = &[
    "full", "net/tun", "null", "random", "tty", "urandom", "zero",
];

const DEVICE_LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];

/// Files of `/etc` that are the same in every world, on every machine. No name server answers there;
/// the machine's id decides over hardware addresses and the like.
const FILES: &[(&str, &str)] = &[
    ("hostname", "netproof\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("machine-id", "6e657470726f6f666e657470726f6f66\n"),
    ("resolv.conf", ""),
];

/// Makes all that is mounted read-only, once and for all who come later.
pub(super) fn close_machine() -> Result<(), WorldError> {
    sys::set_read_only(c"/").map_err(refused("/"))
}

/// Puts the places where they belong, `/run` among them. `/proc` and `/sys` are the world's by now.
pub(super) fn furnish(visible: &[PathBuf]) -> Result<(), WorldError> {
    limit_processes();
    let visible = open(visible)?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_one("tmpfs", Path::new(STAGE), "tmpfs", safe, LIMITS)?;
    let here: Vec<(&Place, PathBuf)> = PLACES
        .iter()
        .filter(|place| Path::new(place.at).is_dir())
        .map(|place| (place, on_stage(place)))
        .collect();
    for (place, staged) in &here {
        fill(place, staged).map_err(|error| failed(Path::new(place.at), &error))?;
    }
    for (path, opened) in visible {
        show(path, &opened)?;
    }
    for (place, staged) in &here {
        if place.has == Contents::Devices {
            bring_devices(staged)?;
        }
        bind(staged, Path::new(place.at), MsFlags::MS_REC)?;
    }
    let workdir = Path::new(WORKDIR);
    make(workdir, 0o755).map_err(|error| failed(workdir, &error))?;
    close_settings()
}

/// Opens what is to stay, before something covers it.
fn open<'a>(visible: &'a [PathBuf]) -> Result<Vec<(&'a PathBuf, fs::File)>, WorldError> {
    let open = |path: &'a PathBuf| {
        let mut options = fs::File::options();
        let opened = options
            .read(true)
            .custom_flags(OFlag::O_PATH.bits())
            .open(path);
        Ok((path, opened.map_err(|error| failed(path, &error))?))
    };
    visible.iter().map(open).collect()
}

/// Puts what stays where it was, if that is in a place.
fn show(path: &Path, opened: &fs::File) -> Result<(), WorldError> {
    let of = PLACES.iter().filter_map(|place| {
        let rest = path.strip_prefix(place.at).ok()?;
        Some(on_stage(place).join(rest))
    });
    for staged in of {
        let folder = opened.metadata().is_ok_and(|found| found.is_dir());
        let parent = if folder {
            Some(&*staged)
        } else {
            staged.parent()
        };
        let made = parent.map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            let mut file = fs::File::options();
            let file = file.append(true).create(true);
            if folder {
                Ok(())
            } else {
                file.open(&staged).map(drop)
            }
        });
        made.map_err(|error| failed(path, &error))?;
        let from = format!("/proc/self/fd/{}", opened.as_raw_fd());
        bind(Path::new(&from), &staged, MsFlags::MS_REC)?;
    }
    Ok(())
}

fn on_stage(place: &Place) -> PathBuf {
    Path::new(STAGE).join(place.at.trim_start_matches('/').replace('/', "-"))
}

fn fill(place: &Place, staged: &Path) -> io::Result<()> {
    make(staged, place.mode)?;
    let own = Path::new(place.at);
    match place.has {
        Contents::Nothing => Ok(()),
        Contents::Folders => entries(own)
            .into_iter()
            .filter(|(_, found)| found.is_dir())
            .try_for_each(|(path, _)| make(&below(staged, &path), 0o755)),
        Contents::Copies => {
            copy(own, staged)?;
            FILES.iter().try_for_each(|(name, text)| {
                let path = staged.join(name);
                // What is there may be a link.
                let _ = fs::remove_file(&path);
                fs::write(&path, text)?;
                untouched(&path)
            })
        }
        Contents::Devices => {
            make(&staged.join("net"), 0o755)?;
            make(&staged.join("pts"), 0o755)?;
            make(&staged.join("shm"), 0o1777)?;
            DEVICE_LINKS.iter().try_for_each(|(name, to)| {
                let path = staged.join(name);
                symlink(to, &path)?;
                untouched(&path)
            })
        }
    }
}

/// Copies what everybody may read. What goes or cannot be read meanwhile is left out.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for (path, found) in entries(from) {
        let (to, mode) = (below(to, &path), found.mode() & 0o777);
        if found.is_symlink() {
            let Ok(target) = fs::read_link(&path) else {
                continue;
            };
            symlink(target, &to)?;
            untouched(&to)?;
        } else if found.is_dir() && mode & 0o005 == 0o005 {
            make(&to, mode | 0o700)?;
            copy(&path, &to)?;
        } else if found.is_file() && mode & 0o004 != 0 && found.len() <= COPIED {
            let Ok(contents) = fs::read(&path) else {
                continue;
            };
            fs::write(&to, contents)?;
            fs::set_permissions(&to, fs::Permissions::from_mode(mode | 0o600))?;
            untouched(&to)?;
        }
    }
    Ok(())
}

/// Lists a folder with what each entry is, links not followed; what cannot be read has none.
fn entries(folder: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    listed
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .collect()
}

fn below(folder: &Path, path: &Path) -> PathBuf {
    path.file_name()
        .map_or_else(|| folder.to_owned(), |name| folder.join(name))
}

/// Makes a folder of exactly that mode.
fn make(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Marks a file as one that nobody has written since, for [`written`](super::written()): nothing else
/// is as old as the epoch.
fn untouched(path: &Path) -> io::Result<()> {
    let epoch = TimeSpec::new(0, 0);
    let flags = UtimensatFlags::NoFollowSymlink;
    Ok(utimensat(AT_FDCWD, path, &epoch, &epoch, flags)?)
}

fn bring_devices(staged: &Path) -> Result<(), WorldError> {
    for name in DEVICES {
        let (own, to) = (Path::new("/dev").join(name), staged.join(name));
        if own.exists() {
            let made = fs::File::create(&to).and_then(|_| untouched(&to));
            made.map_err(|error| failed(&own, &error))?;
            bind(&own, &to, MsFlags::empty())?;
        }
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    // Without a group of its own, since the user namespace may not have that.
    let options = "newinstance,ptmxmode=0666,mode=0620";
    mount_one("devpts", &staged.join("pts"), "devpts", flags, options)
}

/// Makes the settings of the machine read-only, apart from those of network namespaces: the machine's
/// root owns them, and is root in its own user namespace too. Each by itself, for `/proc/sys/net` is another folder in each namespace, and nothing is mounted on all of them.
fn close_settings() -> Result<(), WorldError> {
    let settings = sysctl::list("").into_iter().filter(|name| name != "net");
    let knobs = ["acpi", "bus", "fs", "irq", "sysrq-trigger"];
    let paths = settings
        .map(|name| Path::new("/proc/sys").join(name))
        .chain(knobs.iter().map(|name| Path::new("/proc").join(name)))
        .filter(|path| path.exists());
    for path in paths {
        bind(&path, &path, MsFlags::MS_REC)?;
        let at = path.display().to_string();
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| WorldError::new(Stage::Mounts, Errno::EINVAL).detail(&at))?;
        sys::set_read_only(&name)
            .map_err(|errno| WorldError::new(Stage::Mounts, errno).detail(&at))?;
    }
    Ok(())
}

/// Lowers the limit of the pid namespace; where it is still that of the machine, it stays.
fn limit_processes() {
    let release = sysctl::read("kernel/osrelease").unwrap_or_default();
    if version(&release).is_some_and(|version| version >= PROCESSES_SINCE) {
        let _ = sysctl::write("kernel/pid_max", PROCESSES);
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn bind(from: &Path, to: &Path, also: MsFlags) -> Result<(), WorldError> {
    let none = None::<&str>;
    mount(Some(from), to, none, MsFlags::MS_BIND | also, none)
        .map_err(|errno| WorldError::new(Stage::Mounts, errno).detail(to.display().to_string()))
}

fn mount_one(
    what: &str,
    at: &Path,
    kind: &str,
    flags: MsFlags,
    options: &str,
) -> Result<(), WorldError> {
    mount(Some(what), at, Some(kind), flags, Some(options))
        .map_err(|errno| WorldError::new(Stage::Mounts, errno).detail(at.display().to_string()))
}

pub(super) fn failed(at: &Path, error: &io::Error) -> WorldError {
    let reason = KernelError::from_io(error);
    WorldError::new(Stage::Mounts, reason).detail(at.display().to_string())
}

fn refused(at: &'static str) -> impl Fn(Errno) -> WorldError {
    move |errno| WorldError::new(Stage::Mounts, errno).detail(at)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::long("6.14.0-27-generic", Some((6, 14)))]
    #[case::short("6.9-rc1", Some((6, 9)))]
    #[case::no_release("", None)]
    fn a_release_begins_with_two_numbers(
        #[case] release: &str,
        #[case] numbers: Option<(u32, u32)>,
    ) {
        assert_eq!(version(release), numbers);
    }

    #[rstest]
    #[case::beside_others("/tmp/mine/adapter", "/tmp/mine")]
    #[case::in_a_place("/tmp/adapter", "/tmp/adapter")]
    #[case::above_places("/var/adapter", "/var/adapter")]
    #[case::elsewhere("/home/me/adapter", "/home/me")]
    fn a_program_is_seen_with_what_stands_beside_it(#[case] program: &str, #[case] seen: &str) {
        let visible = vec![seen.into()];
        let interior = Interior::showing(Path::new(program));
        assert_eq!(interior, Interior::Furnished { visible });
    }

    #[test]
    fn the_stage_is_covered_last() {
        assert_eq!(PLACES.last().map(|place| place.at), Some(STAGE));
    }
}
