//! The settings of the machine that decide whether a world can be made.
//!
//! What is read and what is made of it are apart: each judgement is a function of its arguments.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::check::{Check, Status};
use super::error::{Stage, WorldError, exhaustion_cure};
use crate::kernel::KernelError;
use crate::kernel::sysctl;
use crate::scenario::limits::NODES_MAX;

/// As many as worlds at once on a large machine, and as many that are still dissolving.
const WORLDS: u64 = 64;

/// The kinds of namespaces of which a world has one each, as their limits are called.
const OF_A_WORLD: &[&str] = &["pid", "mnt", "uts", "ipc"];

/// The largest scenario, and the world's own.
const NET_NAMESPACES: u64 = NODES_MAX as u64 + 1;

/// A node takes about five descriptors.
const OPEN_FILES: u64 = 256;

pub(super) const TUN: &str = "/dev/net/tun";

/// Looks at every setting. `user` tells whether a world of tier `user` could be made: some settings
/// are an obstacle only where it could not.
pub fn settings(user: bool) -> Vec<Check> {
    let mut checks = vec![
        limit(
            "user.max_user_namespaces",
            sysctl::read("user/max_user_namespaces"),
            WORLDS,
            cure(Stage::UserNamespace, Errno::ENOSPC),
        ),
        limit(
            "user.max_net_namespaces",
            sysctl::read("user/max_net_namespaces"),
            NET_NAMESPACES,
            cure(Stage::NetNamespace, Errno::ENOSPC),
        ),
    ];
    checks.extend(OF_A_WORLD.iter().map(|kind| {
        let name = format!("user.max_{kind}_namespaces");
        let value = sysctl::read(&name.replacen('.', "/", 1));
        let cure =
            format!("the limit of {kind} namespaces is reached: `sudo sysctl -w {name}=15000`");
        limit(&name, value, WORLDS, &cure)
    }));
    checks.extend([
        unprivileged(sysctl::read("kernel/unprivileged_userns_clone"), user),
        apparmor(
            sysctl::read("kernel/apparmor_restrict_unprivileged_userns"),
            user,
        ),
        open_files(
            getrlimit(Resource::RLIMIT_NOFILE)
                .map(|(soft, _)| soft)
                .map_err(Into::into),
        ),
        masks(&read("/proc/self/mountinfo"), user),
    ]);
    let explained = checks.iter().any(|check| check.status == Status::Missing);
    checks.push(seccomp(&read("/proc/self/status"), user, explained));
    checks.push(tun(fs::File::options().read(true).write(true).open(TUN)));
    checks
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn cure(stage: Stage, errno: Errno) -> &'static str {
    WorldError::new(stage, errno).cure()
}

fn limit(name: &str, value: Result<String, KernelError>, enough: u64, cure: &str) -> Check {
    let check = format!("setting/{name}");
    let value = match value {
        Ok(value) => value,
        Err(error) => return Check::ok(check, format!("cannot be read: {error}")),
    };
    match value.parse::<u64>() {
        Ok(0) => Check::absent(check, value).because(Status::Missing, "there can be none", cure),
        Ok(number) if number < enough => Check::ok(check, value).because(
            Status::Limited,
            format!("a run can need {enough}"),
            cure,
        ),
        // The kernel's largest value does not fit, and is enough.
        _ => Check::ok(check, value),
    }
}

/// Debian's switch.
fn unprivileged(value: Result<String, KernelError>, user: bool) -> Check {
    let check = "setting/kernel.unprivileged_userns_clone";
    match value.as_deref() {
        Err(_) => Check::ok(check, "this kernel has no such switch"),
        Ok("0") => Check::ok(check, "0").because(
            if user {
                Status::Limited
            } else {
                Status::Missing
            },
            "only root may make a user namespace",
            cure(Stage::UserNamespace, Errno::EPERM),
        ),
        Ok(value) => Check::ok(check, value),
    }
}

/// Ubuntu's restriction: the namespace can be made, and then not be used.
fn apparmor(value: Result<String, KernelError>, user: bool) -> Check {
    let check = "setting/kernel.apparmor_restrict_unprivileged_userns";
    match value.as_deref() {
        Err(_) => Check::ok(check, "this kernel has no such switch"),
        Ok("0") => Check::ok(check, "0"),
        Ok(value) if user => Check::ok(check, format!("{value}, but netproof is let through")),
        Ok(value) => Check::ok(check, value).because(
            Status::Missing,
            "AppArmor takes the privileges out of a user namespace that an ordinary program makes",
            cure(Stage::IdMap, Errno::EACCES),
        ),
    }
}

fn open_files(limit: Result<u64, KernelError>) -> Check {
    let check = "setting/open-files";
    match limit {
        Err(error) => Check::ok(check, format!("cannot be read: {error}")),
        Ok(limit) if limit < OPEN_FILES => Check::ok(check, limit.to_string()).because(
            Status::Limited,
            format!("a run can need {OPEN_FILES}"),
            exhaustion_cure(&Errno::EMFILE.into()),
        ),
        Ok(u64::MAX) => Check::ok(check, "unlimited"),
        Ok(limit) => Check::ok(check, limit.to_string()),
    }
}

/// Says what covers parts of `/proc` and `/sys`: where something does, a user namespace may not
/// mount them afresh (`mount_too_revealing` of fs/namespace.c).
fn masks(mountinfo: &str, user: bool) -> Check {
    let check = "setting/masked-proc";
    let covers: Vec<&str> = mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| point.starts_with("/proc/") || point.starts_with("/sys/firmware"))
        // An empty directory in any case: it hides nothing.
        .filter(|point| *point != "/proc/sys/fs/binfmt_misc")
        .collect();
    match covers.first() {
        None => Check::ok(check, "nothing is hidden"),
        Some(first) => {
            let found = Check::ok(
                check,
                format!("{first} and so on: {} covered", covers.len()),
            );
            if user {
                return found;
            }
            found.because(
                Status::Limited,
                "what is hidden outside a world may not show in it, so the kernel refuses the mount",
                cure(Stage::Mounts, Errno::EPERM),
            )
        }
    }
}

/// A filter shows only in what it refuses, so it is blamed where nothing else explains it.
fn seccomp(status: &str, user: bool, explained: bool) -> Check {
    let check = "setting/seccomp";
    let mode = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"))
        .map_or("0", str::trim);
    match mode {
        "0" => Check::ok(check, "no filter"),
        _ if user => Check::ok(check, "a filter, but netproof is let through"),
        _ if explained => Check::ok(check, "a filter, and another obstacle"),
        _ => Check::ok(check, "a filter").because(
            Status::Limited,
            "the filter may be what refuses `unshare`, as that of a container does",
            cure(Stage::UserNamespace, Errno::EPERM),
        ),
    }
}

/// Returns what lets `/dev/net/tun` be opened.
pub(super) fn tun_cure(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied {
        "`sudo chmod 0666 /dev/net/tun`"
    } else {
        "`sudo modprobe tun`, or, in a container, `--device /dev/net/tun`"
    }
}

fn tun(opened: io::Result<fs::File>) -> Check {
    let check = "setting/dev-net-tun";
    let cause = "the verbs `tun` and `tap` need it, and slirp4netns, pasta and other forwarders in \
                 user space";
    match opened {
        Ok(_) => Check::ok(check, TUN),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Check::ok(
            check,
            format!("{TUN} is not for this user"),
        )
        .because(Status::Limited, cause, tun_cure(&error)),
        Err(error) => {
            let reason = KernelError::from_io(&error);
            Check::absent(check, format!("{TUN}: {reason}")).because(
                Status::Missing,
                cause,
                tun_cure(&error),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn said(text: &str) -> Result<String, KernelError> {
        Ok(text.to_owned())
    }

    fn nothing() -> Result<String, KernelError> {
        Err(Errno::ENOENT.into())
    }

    fn found(check: &Check) -> (Status, &str) {
        (check.status, check.cure.as_deref().unwrap_or_default())
    }

    #[rstest]
    #[case::none("0", Status::Missing)]
    #[case::few("64", Status::Limited)]
    #[case::enough("65", Status::Ok)]
    #[case::beyond_numbers("99999999999999999999999", Status::Ok)]
    fn a_limit_is_judged_by_what_a_run_can_need(#[case] value: &str, #[case] status: Status) {
        let check = limit("x", said(value), NET_NAMESPACES, "raise it");
        assert_eq!(check.status, status);
        assert_eq!(check.detail, value);
        assert_eq!(check.cure.is_some(), status != Status::Ok);
    }

    #[test]
    fn what_a_kernel_does_not_have_is_no_obstacle() {
        for check in [
            limit("x", nothing(), 1, "raise it"),
            unprivileged(nothing(), false),
            apparmor(nothing(), false),
        ] {
            assert_eq!(check.status, Status::Ok, "{check:?}");
        }
    }

    #[test]
    fn the_switch_of_debian_leaves_it_to_root() {
        let check = unprivileged(said("0"), false);
        let (status, cure) = found(&check);
        assert_eq!(status, Status::Missing);
        assert!(cure.contains("kernel.unprivileged_userns_clone=1"));
        assert_eq!(unprivileged(said("0"), true).status, Status::Limited);
        assert_eq!(unprivileged(said("1"), false).status, Status::Ok);
    }

    #[test]
    fn the_restriction_of_ubuntu_has_its_own_cure() {
        let check = apparmor(said("1"), false);
        assert_eq!(check.status, Status::Missing);
        assert!(
            found(&check)
                .1
                .contains("kernel.apparmor_restrict_unprivileged_userns=0")
        );
        assert_eq!(apparmor(said("1"), true).status, Status::Ok);
        assert_eq!(apparmor(said("0"), false).status, Status::Ok);
    }

    #[test]
    fn a_filter_is_blamed_where_nothing_else_explains_it() {
        let on = "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(seccomp(on, true, false).status, Status::Ok);
        assert_eq!(seccomp(on, false, true).status, Status::Ok);
        let check = seccomp(on, false, false);
        assert_eq!(check.status, Status::Limited);
        assert!(found(&check).1.contains("seccomp"));
        assert_eq!(seccomp("Seccomp:\t0\n", false, false).status, Status::Ok);
    }

    #[test]
    fn a_covered_proc_is_an_obstacle_where_no_world_can_be_made() {
        let info = "1 2 0:5 / /proc rw - proc proc rw\n\
                    3 1 0:6 / /proc/sys/fs/binfmt_misc rw - autofs x rw\n";
        assert_eq!(masks(info, false).status, Status::Ok);
        let masked = format!("{info}4 1 0:7 / /proc/kcore rw - tmpfs tmpfs rw\n");
        let check = masks(&masked, false);
        assert_eq!(check.status, Status::Limited);
        assert!(check.detail.starts_with("/proc/kcore") && found(&check).1.contains("systempaths"));
        assert_eq!(masks(&masked, true).status, Status::Ok);
    }

    #[rstest]
    #[case::gone(Errno::ENOENT, Status::Missing, "modprobe tun")]
    #[case::no_driver(Errno::ENODEV, Status::Missing, "modprobe tun")]
    #[case::closed(Errno::EACCES, Status::Limited, "chmod")]
    #[case::closed_by_a_container(Errno::EPERM, Status::Limited, "chmod")]
    fn tun_has_a_cure_for_each_refusal(
        #[case] errno: Errno,
        #[case] status: Status,
        #[case] cure: &str,
    ) {
        let check = tun(Err(io::Error::from_raw_os_error(errno as i32)));
        assert_eq!(check.status, status);
        assert!(found(&check).1.contains(cure));
    }

    #[test]
    fn few_descriptors_are_a_limit() {
        let check = open_files(Ok(64));
        assert_eq!(check.status, Status::Limited);
        assert!(found(&check).1.contains("ulimit -n"));
        assert_eq!(open_files(Ok(1024)).status, Status::Ok);
    }
}
