//! Worlds for programs of others, in every tier: what can be written ends with the world, nothing else
//! can be, and what such programs need is there. Each case is a world of its own, which this program
//! becomes to look around in it.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use libtest_mimic::{Failed, Trial};
use netproof::kernel::sysctl;
use netproof::run::Runner;
use netproof::scenario::NodeName;
use netproof::world::{
    Baseline, Interior, Tier, WORKDIR, World, isolate, run_in, run_to_end, written,
};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::Pid;

use crate::{identity, support};

/// The argument of a process that is to become a world and look around.
const INSIDE: &str = "__inside";

const TIERS: [Tier; 3] = Tier::ALL;

/// No file of any machine has this name.
const NAME: &str = "netproof-was-here";

type Look = fn(&Asked) -> Result<(), Failed>;

/// What a world was asked to be.
struct Asked {
    tier: Tier,
    /// A folder below a place of its own, with a file, that stays to be read.
    visible: PathBuf,
}

const LOOKS: &[(&str, Look)] = &[
    ("ids-are-those-of-the-tier", ids_are_those_of_the_tier),
    ("places-are-its-own", places_are_its_own),
    ("the-rest-is-read-only", the_rest_is_read_only),
    ("what-stays-can-be-read", what_stays_can_be_read),
    ("one-limit-for-all", one_limit_for_all),
    ("etc-is-a-copy", etc_is_a_copy),
    ("devices-are-there", devices_are_there),
    ("few-processes", few_processes),
    ("settings-of-nodes", settings_of_nodes),
    ("a-process-is-taken-in", a_process_is_taken_in),
    ("a-holder-stands-in-a-node", a_holder_stands_in_a_node),
];

pub(crate) fn is_inside(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments
        .into_iter()
        .nth(1)
        .is_some_and(|argument| argument == INSIDE)
}

/// Becomes a world of the tier and looks around as the second argument says.
pub(crate) fn look_around(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().skip(2).collect();
    let tier = TIERS.into_iter().find(|tier| arguments[0] == tier.word());
    let look = LOOKS.iter().find(|(name, _)| arguments[1] == *name);
    let (tier, (_, look)) = (tier.unwrap(), look.unwrap());
    let visible = PathBuf::from(&arguments[2]);
    let interior = Interior::Furnished {
        visible: vec![visible.clone()],
    };
    if let Err(error) = isolate(tier, &interior) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    match look(&Asked { tier, visible }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("{}", failed.message().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    let is_root = nix::unistd::geteuid().is_root();
    let mut trials = Vec::new();
    for tier in TIERS {
        let ignored = tier != Tier::User && !is_root;
        let of = format!("furnished/{}", tier.word());
        for (name, _) in LOOKS {
            let case = move || looks(tier, name);
            trials.push(Trial::test(format!("{of}/{name}"), case).with_ignored_flag(ignored));
        }
        let case = move || same_bytes(tier);
        trials.push(Trial::test(format!("{of}/same-bytes"), case).with_ignored_flag(ignored));
    }
    trials
}

fn looks(tier: Tier, name: &str) -> Result<(), Failed> {
    let settings = || ["kernel/pid_max", "kernel/core_pattern"].map(sysctl::read);
    let before = settings();
    let folder = tempfile::tempdir_in("/tmp")?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    fs::write(folder.path().join(NAME), "x")?;
    let output = Command::new("/proc/self/exe")
        .args([INSIDE, tier.word(), name])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?
        .wait_with_lifeline()?;
    for place in OWN {
        if Path::new(place).join(NAME).exists() {
            return Err(format!("it is left in {place}").into());
        }
    }
    if before != settings() {
        return Err(format!("{before:?} became {:?}", settings()).into());
    }
    match output {
        (true, _) => Ok(()),
        (false, said) => Err(said.into()),
    }
}

/// [`Child::wait_with_output`] would cut the lifeline first.
trait WithLifeline {
    fn wait_with_lifeline(self) -> std::io::Result<(bool, String)>;
}

impl WithLifeline for Child {
    fn wait_with_lifeline(mut self) -> std::io::Result<(bool, String)> {
        let (_lifeline, mut said) = (self.stdin.take(), String::new());
        if let Some(mut stderr) = self.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        Ok((self.wait()?.success(), said))
    }
}

fn require(is: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if is { Ok(()) } else { Err(otherwise().into()) }
}

fn same_bytes(tier: Tier) -> Result<(), Failed> {
    let name = "tutorials/gateway";
    let scenarios = support::scenarios();
    let scenario = scenarios.iter().find(|it| it.name == name).unwrap();
    let runner = Runner::new(tier, false).with_interior(Interior::Furnished { visible: vec![] });
    let mut told = Vec::new();
    let outcome = runner.run(scenario, &mut |event| told.push(format!("{event:?}")));
    let facts = outcome.facts.into_iter().map(|it| (it.name, it.text));
    let ordinary = identity::facts(support::netproof_run().arg(name))?;
    require(
        !ordinary.is_empty()
            && facts.collect::<Vec<_>>() == ordinary.into_iter().collect::<Vec<_>>(),
        || format!("other bytes: {told:#?}"),
    )
}

/// Where a program can write.
const OWN: &[&str] = &[
    "/dev",
    "/dev/shm",
    "/etc",
    "/root",
    "/run",
    "/sys/fs/cgroup",
    "/tmp",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];

fn ids_are_those_of_the_tier(asked: &Asked) -> Result<(), Failed> {
    let (uid, groups) = (nix::unistd::getuid(), nix::unistd::getgroups()?);
    require(uid.is_root(), || format!("user {uid}"))?;
    let file = Path::new("/tmp").join(NAME);
    fs::write(&file, "x")?;
    let given = std::os::unix::fs::chown(&file, Some(65_535), Some(5));
    let grouped = nix::unistd::setgroups(&[5.into()]);
    let many = asked.tier != Tier::User;
    require((given.is_ok(), grouped.is_ok()) == (many, many), || {
        format!("{given:?}, {grouped:?}")
    })?;
    // Those that its starter had, it has in tier `root`, where nothing is taken away.
    require(asked.tier != Tier::Subuid || groups.is_empty(), || {
        format!("groups {groups:?}")
    })?;
    // A process of the world may look into another: who changes its id may not be looked into.
    let mut command = Command::new("readlink");
    let runner = format!("/proc/{}/ns/net", Pid::this());
    let looked = command.arg(runner).env("PATH", support::FOLDERS.join(":"));
    require(looked.output()?.status.success(), || {
        "nobody may look".to_owned()
    })
}

fn places_are_its_own(_: &Asked) -> Result<(), Failed> {
    let before = written(&[])?;
    require(before.is_empty(), || format!("written before: {before:?}"))?;
    let own: Vec<&str> = OWN
        .iter()
        .copied()
        .filter(|place| Path::new(place).is_dir())
        .collect();
    require(own.len() > 8, || format!("there are only {own:?}"))?;
    let mut all = Vec::new();
    for place in &own {
        let (folder, file) = (Path::new(place).join("folder"), Path::new(place).join(NAME));
        fs::create_dir(&folder)?;
        fs::write(&file, "x")?;
        std::os::unix::fs::symlink("/usr", folder.join("usr"))?;
        all.extend([file, folder.join("usr")]);
    }
    fs::write(Path::new(WORKDIR).join("mine"), "")?;
    fs::write("/run/netns/name", "")?;
    all.sort();
    let found = written(&[Path::new(WORKDIR)])?;
    require(found == all, || format!("{found:?} in place of {all:?}"))?;
    all.push(Path::new(WORKDIR).join("mine"));
    all.sort();
    require(written(&[])? == all, || "not with the workdir".to_owned())
}

fn the_rest_is_read_only(_: &Asked) -> Result<(), Failed> {
    let mut places = vec![
        "/", "/usr", "/usr/bin", "/var", "/home", "/opt", "/srv", "/sys", "/mnt",
    ];
    let outside = support::root().display().to_string();
    let built = Path::new(env!("CARGO_BIN_EXE_netproof")).parent().unwrap();
    let built = built.display().to_string();
    // They may be below a place, and then they are not there at all.
    places.extend([outside.as_str(), built.as_str()]);
    for place in places.into_iter().filter(|place| Path::new(place).is_dir()) {
        let made = fs::write(Path::new(place).join(NAME), "x");
        let errno = made.err().and_then(|error| error.raw_os_error());
        let expected = if Path::new(place).starts_with("/sys") {
            // Nobody makes files there, read-only or not.
            [Errno::EROFS as i32, Errno::EPERM as i32]
        } else {
            [Errno::EROFS as i32; 2]
        };
        require(errno.is_some_and(|errno| expected.contains(&errno)), || {
            format!("{place}: {errno:?}")
        })?;
    }
    let changed = fs::write("/sys/class/net/lo/tx_queue_len", "1000");
    let errno = changed.err().and_then(|error| error.raw_os_error());
    require(errno == Some(Errno::EROFS as i32), || {
        format!("/sys: {errno:?}")
    })?;
    // Its own value, so that a world that can write it does no harm.
    let pattern = sysctl::read("kernel/core_pattern")?;
    let changed = sysctl::write("kernel/core_pattern", &pattern);
    let errno = changed.err().map(|error| error.errno);
    // The first to root, the second to who does not own it.
    let expected = [Some(Errno::EROFS), Some(Errno::EACCES)];
    require(expected.contains(&errno), || {
        format!("a setting: {errno:?}")
    })
}

fn what_stays_can_be_read(asked: &Asked) -> Result<(), Failed> {
    let file = asked.visible.join(NAME);
    require(fs::read(&file)? == b"x", || "other contents".to_owned())?;
    let written = fs::write(&file, "y").map_err(|error| error.raw_os_error());
    let expected = [Some(Errno::EROFS as i32), Some(Errno::EACCES as i32)];
    require(
        written.is_err_and(|errno| expected.contains(&errno)),
        || "it can be written".to_owned(),
    )?;
    let others: Vec<_> = fs::read_dir("/tmp")?
        .flatten()
        .map(|it| it.path())
        .collect();
    require(others == std::slice::from_ref(&asked.visible), || {
        format!("also there: {others:?}")
    })
}

fn one_limit_for_all(_: &Asked) -> Result<(), Failed> {
    let half = 150 << 20;
    let take = |path: &str| -> Result<Result<(), Errno>, Failed> {
        let file = fs::File::create(path)?;
        Ok(fallocate(&file, FallocateFlags::empty(), 0, half))
    };
    let (first, second) = (take("/tmp/half")?, take("/var/lib/half")?);
    require((first, second) == (Ok(()), Err(Errno::ENOSPC)), || {
        format!("{first:?}, {second:?}")
    })
}

fn etc_is_a_copy(_: &Asked) -> Result<(), Failed> {
    let passwd = fs::read_to_string("/etc/passwd")?;
    require(passwd.contains("root:"), || "nobody is in it".to_owned())?;
    fs::write("/etc/passwd", passwd + "x:x:1:1:::\n")?;
    let found = written(&[])?;
    require(found == [PathBuf::from("/etc/passwd")], || {
        format!("written: {found:?}")
    })?;
    require(!Path::new("/etc/shadow").exists(), || {
        "what not everybody may read is there".to_owned()
    })?;
    require(fs::read("/etc/resolv.conf")?.is_empty(), || {
        "a name server".to_owned()
    })?;
    // Also below a folder that was there.
    let folder = fs::read_dir("/etc")?
        .flatten()
        .find(|it| it.path().is_dir());
    fs::write(folder.unwrap().path().join(NAME), "x")?;
    Ok(())
}

fn devices_are_there(asked: &Asked) -> Result<(), Failed> {
    fs::write("/dev/null", "x")?;
    let mut bytes = [0; 4];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let both = |path: &str| fs::File::options().read(true).write(true).open(path);
    both("/dev/ptmx")?;
    require(Path::new("/dev/pts/ptmx").exists(), || "no pts".to_owned())?;
    for hidden in [
        "/dev/kmsg",
        "/dev/mem",
        "/dev/vda",
        "/dev/sda",
        "/dev/loop0",
    ] {
        require(!Path::new(hidden).exists(), || format!("{hidden} is there"))?;
    }
    // Where the machine has none, the test of doctor says so.
    if Path::new("/sys/class/misc/tun").exists() && asked.tier == Tier::Root {
        both("/dev/net/tun")?;
    }
    Ok(())
}

fn few_processes(_: &Asked) -> Result<(), Failed> {
    let release = sysctl::read("kernel/osrelease")?;
    let mut numbers = release.split('.').filter_map(|it| it.parse::<u32>().ok());
    let since = (numbers.next(), numbers.next()) >= (Some(6), Some(14));
    let limit = sysctl::read("kernel/pid_max")?;
    require((limit == "4096") == since, || {
        format!("{limit} on Linux {release}")
    })
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

fn names(names: &[&str]) -> Vec<NodeName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn settings_of_nodes(_: &Asked) -> Result<(), Failed> {
    runtime().block_on(async {
        let names = names(&["host", "c1"]);
        let world = World::new(&names, Baseline::default())?;
        for name in &names {
            let node = world.node(name).unwrap();
            let written = node.enter(|| {
                sysctl::write("net/ipv4/ip_forward", "1")?;
                sysctl::read("net/ipv4/ip_forward")
            })?;
            require(written.as_deref() == Ok("1"), || format!("{written:?}"))?;
            // As a program of others does it.
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"]);
            let (status, said) = run_in(&world, name, &mut command).await?;
            require(status.success(), || String::from_utf8_lossy(&said).into())?;
        }
        Ok(())
    })
}

fn netns_of(process: Pid) -> Result<u64, Failed> {
    Ok(fs::metadata(format!("/proc/{process}/ns/net"))?.ino())
}

fn netns_of_node(world: &World, name: &NodeName) -> Result<u64, Failed> {
    let node = world.node(name).unwrap();
    Ok(nix::sys::stat::fstat(node.netns())?.st_ino)
}

fn a_process_is_taken_in(_: &Asked) -> Result<(), Failed> {
    runtime().block_on(async {
        let names = names(&["host", "c1", "c2", "c3", "none"]);
        let mut world = World::new(&names[..1], Baseline::default())?;
        let mut container = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .env("PATH", support::FOLDERS.join(":"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // It says so when it is in there.
        let said = BufReader::new(container.stdout.take().unwrap()).read_line(&mut String::new())?;
        require(said == 1, || "there is no unshare".to_owned())?;
        let pid = Pid::from_raw(container.id().try_into()?);
        let own = netns_of(pid)?;
        world.adopt_process(&names[1], pid)?;
        require(netns_of_node(&world, &names[1])? == own, || {
            "another".to_owned()
        })?;
        let pinned = world.node(&names[1]).unwrap().pinned().written;
        require(pinned > 50, || format!("{pinned} pinned"))?;
        let again = world
            .adopt_process(&names[1], pid)
            .map_err(|error| error.reason.errno);
        require(again == Err(Errno::EEXIST), || format!("{again:?}"))?;
        // One more name of that node, and one of `host`.
        world.adopt_process(&names[2], pid)?;
        require(world.first_name(&names[2]) == names[1], || {
            "a third".to_owned()
        })?;
        world.adopt_process(&names[3], Pid::this())?;
        require(world.first_name(&names[3]) == names[0], || {
            "a fourth".to_owned()
        })?;
        // It is held by its names when the process is gone.
        container.kill()?;
        container.wait()?;
        let mut command = Command::new("/bin/sh");
        let asked = format!("test $(stat -Lc %i /run/netns/c1) = {own}");
        let (status, _) = run_to_end(command.args(["-c", &asked])).await?;
        require(status.success(), || "the name is gone".to_owned())?;
        world.delete_node(&names[2]).await?;
        world.delete_node(&names[1]).await?;
        let gone = world
            .adopt_process(&names[4], pid)
            .map_err(|error| error.reason.errno);
        let left: Vec<_> = fs::read_dir("/run/netns")?
            .flatten()
            .map(|it| it.path())
            .collect();
        require(
            gone == Err(Errno::ENOENT) && left == [PathBuf::from("/run/netns/c3")],
            || format!("{gone:?}, left: {left:?}"),
        )
    })
}

fn a_holder_stands_in_a_node(_: &Asked) -> Result<(), Failed> {
    runtime().block_on(async {
        let names = names(&["host", "c1", "c2", "none"]);
        let mut world = World::new(&names[..3], Baseline::default())?;
        let first = world.holder(&names[1])?;
        let other = world.holder(&names[2])?;
        require(first != other && world.holder(&names[1])? == first, || {
            "not one for each".to_owned()
        })?;
        let (stands, node) = (netns_of(first)?, netns_of_node(&world, &names[1])?);
        require(stands == node, || format!("{stands}, not {node}"))?;
        let none = world.holder(&names[3]).map_err(|error| error.reason.errno);
        require(none == Err(Errno::ENOENT), || format!("{none:?}"))?;
        // The node ends, and with it the far end of its link: a process in it would keep both.
        let mut command = Command::new("/bin/sh");
        let wire = "ip link add v0 type veth peer name eth0 netns c1";
        command
            .args(["-c", wire])
            .env("PATH", support::FOLDERS.join(":"));
        let (status, _) = run_to_end(&mut command).await?;
        require(status.success(), || "there is no ip".to_owned())?;
        world.share_node(&names[3], &names[1])?;
        world.delete_node(&names[1]).await?;
        require(world.holder(&names[3])? == first, || {
            "it ended too soon".to_owned()
        })?;
        world.delete_node(&names[3]).await?;
        require(netns_of(first).is_err(), || "it stands still".to_owned())?;
        netns_of(other)?;
        Ok(())
    })
}
