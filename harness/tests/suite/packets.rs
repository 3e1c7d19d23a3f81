//! The file of packets, read back by a parser that is not ours.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use netproof::run::SMALLEST as RIGHT;
use pcap_parser::{Block, OptionCode, PcapNGOption, parse_pcapng};
use rstest::rstest;

const WRONG: (&str, &str) = ("ttl: 64", "ttl: 63");

#[derive(Debug)]
struct Packet {
    on: String,
    flags: u32,
    time: u64,
    comment: String,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct File {
    section: Vec<String>,
    interfaces: Vec<String>,
    packets: Vec<Packet>,
}

fn text(options: &[PcapNGOption], code: u16) -> String {
    let mut found = options
        .iter()
        .filter(|option| option.code == OptionCode(code));
    let option = found.next().unwrap();
    assert!(found.next().is_none());
    option.as_str().unwrap().to_owned()
}

fn parse(path: &Path) -> File {
    let bytes = fs::read(path).unwrap();
    let (rest, capture) = parse_pcapng(&bytes).unwrap();
    assert!(rest.is_empty() && capture.sections.len() == 1);
    let mut file = File {
        section: Vec::new(),
        interfaces: Vec::new(),
        packets: Vec::new(),
    };
    for block in &capture.sections[0].blocks {
        match block {
            Block::SectionHeader(header) => {
                file.section = (1..=4).map(|code| text(&header.options, code)).collect();
            }
            Block::InterfaceDescription(interface) => {
                assert_eq!(interface.linktype.0, 1);
                assert_eq!(interface.ts_resolution(), Some(1_000_000_000));
                file.interfaces.push(text(&interface.options, 2));
            }
            Block::EnhancedPacket(packet) => {
                assert_eq!(packet.caplen, packet.origlen);
                let flags = packet.options.iter().find(|it| it.code == OptionCode(2));
                file.packets.push(Packet {
                    on: file.interfaces[packet.if_id as usize].clone(),
                    flags: flags.unwrap().as_u32_le().unwrap(),
                    time: u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low),
                    comment: text(&packet.options, 1),
                    bytes: packet.data[..packet.caplen as usize].to_vec(),
                });
            }
            other => assert!(matches!(other, Block::EnhancedPacket(_)), "{other:?}"),
        }
    }
    file
}

/// What a run in a folder of its own gave, and what is in its folder for temporary files.
struct Ran {
    folder: tempfile::TempDir,
    output: Output,
    text: String,
}

impl Ran {
    fn temporary(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path().join("tmp")).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn file(&self) -> &Path {
        let line = self
            .text
            .lines()
            .find_map(|it| it.strip_prefix("  packets  "));
        assert!(line.is_some(), "{}", self.text);
        Path::new(line.unwrap())
    }
}

fn run(scenario: &str, change: impl FnOnce(&mut Command, &Path)) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tmp")).unwrap();
    fs::write(folder.path().join("wire.yaml"), scenario).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command
        .args(["run", "wire.yaml"])
        .current_dir(folder.path())
        .env("TMPDIR", folder.path().join("tmp"))
        .env_remove("NETPROOF_PCAP")
        .stdin(Stdio::null());
    change(&mut command, folder.path());
    let output = command.output().unwrap();
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    Ran {
        folder,
        output,
        text,
    }
}

#[test]
fn a_failure_names_the_file_with_every_packet_of_it() {
    let ran = run(&RIGHT.replace(WRONG.0, WRONG.1), |_, _| {});
    assert_eq!(ran.output.status.code(), Some(1), "{}", ran.text);
    let path = ran.file();
    assert_eq!(path.file_name().unwrap(), "wire.pcapng");
    let mode = fs::metadata(path.parent().unwrap()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);

    let file = parse(path);
    assert_eq!(file.section[0], "scenario wire");
    assert_eq!(file.section[1], std::env::consts::ARCH);
    assert!(file.section[2].starts_with("Linux "), "{:?}", file.section);
    let program = concat!("netproof ", env!("CARGO_PKG_VERSION"));
    assert_eq!(file.section[3], program);
    assert_eq!(file.interfaces, ["a/lo", "a/eth0", "b/lo", "b/eth0"]);

    let of = |role: &str| {
        let comment =
            format!("step 1 \"Wire them up\" · ping from a to 10.0.0.2 · attempt 1 · {role}");
        let packets = file.packets.iter().filter(move |it| it.comment == comment);
        packets
            .map(|it| (it.on.as_str(), it.flags))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("request, out"), [("a/eth0", 2)]);
    assert_eq!(of("request, in"), [("b/eth0", 1)]);
    assert_eq!(of("reply, out"), [("b/eth0", 2)]);
    assert_eq!(of("reply, in"), [("a/eth0", 1)]);
    // They ask for each other's hardware address: one asks and is answered, or both.
    let others = of("no packet of it, in");
    assert!(others.len() >= 2, "{file:?}");
    assert_eq!(others.len(), of("no packet of it, out").len());
}

#[test]
fn packets_are_in_order_and_fences_are_not_among_them() {
    let ran = run(&RIGHT.replace(WRONG.0, WRONG.1), |_, _| {});
    let file = parse(ran.file());
    let (mut sent, mut last) = (HashSet::new(), 0);
    for packet in &file.packets {
        assert!(last <= packet.time, "{packet:?}");
        last = packet.time;
        assert_ne!(&packet.bytes[12..14], [0x88, 0xb5], "{packet:?}");
        if packet.flags & 3 == 2 {
            sent.insert(&packet.bytes);
        } else {
            assert!(
                sent.contains(&packet.bytes),
                "{packet:?} comes from nowhere"
            );
        }
    }
    let year = 365 * 24 * 3600 * 1_000_000_000_u64;
    assert!(last > 50 * year, "{last} is no time of ours");
}

#[test]
fn a_pass_leaves_nothing_behind() {
    let ran = run(RIGHT, |_, _| {});
    assert_eq!(ran.output.status.code(), Some(0), "{}", ran.text);
    assert!(!ran.text.contains("packets  "), "{}", ran.text);
    assert_eq!(ran.temporary(), [""; 0]);
}

#[test]
fn what_fails_before_a_packet_was_seen_leaves_nothing_behind() {
    let ran = run(&RIGHT.replace("up: b/eth0", "up: b/eth1"), |_, _| {});
    assert_eq!(ran.output.status.code(), Some(1), "{}", ran.text);
    assert_eq!(ran.temporary(), [""; 0]);
}

#[test]
fn a_folder_that_is_named_has_those_of_every_run() {
    let ran = run(RIGHT, |command, _| {
        command.args(["--pcap", "new/out", "--repeat", "2", "--format", "json"]);
    });
    assert_eq!(ran.output.status.code(), Some(0), "{}", ran.text);
    for name in ["new/out/wire.pcapng", "new/out/wire.2.pcapng"] {
        assert!(!parse(&ran.folder.path().join(name)).packets.is_empty());
        let event = format!("{{\"event\":\"packets\",\"scenario\":\"wire\",\"file\":\"{name}\"");
        assert!(ran.text.contains(&event), "{}", ran.text);
    }
    assert!(!ran.text.contains("\"capture\""), "{}", ran.text);
    assert_eq!(ran.temporary(), [""; 0]);
}

#[test]
fn the_environment_names_a_folder_or_wants_none() {
    let ran = run(RIGHT, |command, _| {
        command.env("NETPROOF_PCAP", "out");
    });
    assert!(ran.folder.path().join("out/wire.pcapng").exists());
    let ran = run(&RIGHT.replace(WRONG.0, WRONG.1), |command, _| {
        command.env("NETPROOF_PCAP", "");
    });
    assert!(!ran.text.contains("packets  "), "{}", ran.text);
    assert_eq!(ran.temporary(), [""; 0]);
}

#[rstest]
#[case::of_a_pass(RIGHT)]
#[case::of_a_failure(&RIGHT.replace(WRONG.0, WRONG.1))]
fn a_folder_that_cannot_be_is_2_and_says_so(#[case] scenario: &str) {
    let ran = run(scenario, |command, _| {
        command.args(["--pcap", "wire.yaml"]);
    });
    assert_eq!(ran.output.status.code(), Some(2), "{}", ran.text);
    let says = "error[unwritable-packets]: the folder wire.yaml cannot be made: File exists";
    assert!(ran.text.contains(says), "{}", ran.text);
    assert!(!ran.text.contains("PASS"), "{}", ran.text);
}

#[test]
fn without_a_folder_for_temporary_files_the_verdict_stays() {
    let ran = run(&RIGHT.replace(WRONG.0, WRONG.1), |command, folder| {
        command.env("TMPDIR", folder.join("none"));
    });
    assert_eq!(ran.output.status.code(), Some(1), "{}", ran.text);
    assert!(
        ran.text.contains("note: cannot write packets to"),
        "{}",
        ran.text
    );
}
