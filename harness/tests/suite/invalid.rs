//! Bad scenario files: each is refused with a message that says where and what to write.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use netproof::scenario::limits::SIZE_MAX;
use netproof::scenario::{Diagnostic, Diagnostics, parse, parse_bytes, parse_manifest_bytes, read};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;
use rstest::rstest;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The folders of invalid files, and what the snapshots of each are called before the name of the file.
const FOLDERS: &[(&str, &str)] = &[
    ("fixtures/invalid", "invalid__"),
    ("fixtures/manifests", "manifest__"),
];

/// Ids that need a file which is too large, or no file at all; each has a test of its own.
const WITHOUT_FIXTURE: &[&str] = &[
    "binary-file",
    "file-is-directory",
    "file-not-found",
    "file-not-readable",
    "file-not-regular",
    "file-too-large",
    "too-many-operations",
    "too-many-values",
];

/// The one id that only an error unknown to netproof has.
const LAST_RESORT: &str = "bad-value";

fn fixtures() -> Vec<PathBuf> {
    let folders = FOLDERS
        .iter()
        .flat_map(|(folder, _)| fs::read_dir(Path::new(ROOT).join(folder)).unwrap());
    let mut files: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Tells whether a fixture is a manifest, and no scenario.
fn is_manifest(path: &Path) -> bool {
    path.parent()
        .is_some_and(|folder| folder.ends_with("manifests"))
}

/// Names the snapshot of a fixture.
fn snapshot_of(path: &Path) -> String {
    let (_, prefix) = FOLDERS[usize::from(is_manifest(path))];
    format!("{prefix}{}", stem(path))
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// Returns the problems of a fixture, under a name that is the same on every machine.
fn problems(path: &Path) -> Option<Diagnostics> {
    let name = path.strip_prefix(ROOT).unwrap().to_str().unwrap();
    let bytes = fs::read(path).unwrap();
    if is_manifest(path) {
        return parse_manifest_bytes(name, &bytes).err();
    }
    parse_bytes(name, &bytes).err()
}

/// Returns what a problem lacks that a person needs.
fn shortcomings(problems: &Diagnostics) -> Vec<String> {
    let text = problems.to_string();
    let mut missing = Vec::new();
    for problem in problems.problems() {
        let mut lacks = |what: &str| missing.push(format!("{}: {what}", problem.id));
        match problems.position(problem) {
            None => lacks("no line and column"),
            Some(at) => {
                let place = format!("--> {}:{}:{}", problems.file(), at.line, at.column);
                if !text.contains(&place) {
                    lacks(&format!("`{place}` is not shown"));
                }
            }
        }
        if problem.help.as_deref().is_none_or(str::is_empty) {
            lacks("no help");
        }
        if !Diagnostic::IDS.contains(&problem.id) {
            lacks("an id that is not in the list");
        }
    }
    if text.lines().filter(|line| is_caret(line)).count() == 0 {
        missing.push("no caret".to_owned());
    }
    for word in [
        "serde",
        "Policy",
        "Options",
        "deserialize",
        "from_str",
        "\u{1f}",
    ] {
        if text.contains(word) {
            missing.push(format!("it speaks of `{}`", word.escape_debug()));
        }
    }
    missing
}

/// Tells whether a line is one of carets, under a line of the file.
fn is_caret(line: &str) -> bool {
    line.split_once('|')
        .is_some_and(|(before, behind)| before.trim().is_empty() && behind.contains('^'))
}

#[test]
fn every_invalid_file_is_refused_with_place_caret_and_help() {
    let mut failures = Vec::new();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in fixtures() {
            let Some(problems) = problems(&path) else {
                failures.push(format!("{}: it was accepted", stem(&path)));
                continue;
            };
            failures.extend(
                shortcomings(&problems)
                    .into_iter()
                    .map(|lack| format!("{}: {lack}", stem(&path))),
            );
            let snapshot = std::panic::catch_unwind(|| {
                insta::assert_snapshot!(snapshot_of(&path), problems);
            });
            if snapshot.is_err() {
                failures.push(format!("{}: not as in its snapshot", stem(&path)));
            }
        }
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_fixture_has_a_snapshot_and_every_snapshot_a_fixture() {
    let files = fixtures();
    let fixtures: BTreeSet<_> = files.iter().map(|path| snapshot_of(path)).collect();
    let folder = fs::read_dir(Path::new(ROOT).join("snapshots")).unwrap();
    let snapshots: BTreeSet<_> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "snap")
        })
        .map(|path| stem(&path).to_owned())
        .filter(|name| FOLDERS.iter().any(|(_, prefix)| name.starts_with(prefix)))
        .collect();
    let alone: Vec<_> = fixtures.symmetric_difference(&snapshots).collect();
    assert!(alone.is_empty(), "without the other: {alone:?}");
}

#[test]
fn every_id_has_a_fixture() {
    let mut seen: BTreeSet<&str> = WITHOUT_FIXTURE.iter().copied().collect();
    seen.insert(LAST_RESORT);
    for problems in fixtures().iter().filter_map(|path| problems(path)) {
        seen.extend(problems.problems().iter().map(|problem| problem.id));
    }
    let ids: BTreeSet<&str> = Diagnostic::IDS.iter().copied().collect();
    assert_eq!(seen, ids);
    assert!(Diagnostic::IDS.is_sorted());
}

/// Returns the one id with which a path is refused.
fn id_of(path: &Path) -> &'static str {
    let problems = read(path).unwrap_err();
    assert_eq!(problems.problems().len(), 1);
    let text = problems.to_string();
    assert!(text.contains(&format!("--> {}", path.display())), "{text}");
    assert!(text.contains("= help: "), "{text}");
    problems.problems()[0].id
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert_eq!(id_of(&at("missing.yaml")), "file-not-found");
    assert_eq!(id_of(folder.path()), "file-is-directory");
    assert_eq!(id_of(Path::new("/dev/zero")), "file-not-regular");

    nix::unistd::mkfifo(&at("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(id_of(&at("fifo.yaml")), "file-not-regular");
    let _listener = std::os::unix::net::UnixListener::bind(at("socket.yaml")).unwrap();
    assert_eq!(id_of(&at("socket.yaml")), "file-not-regular");

    std::os::unix::fs::symlink(at("loop.yaml"), at("loop.yaml")).unwrap();
    assert_eq!(id_of(&at("loop.yaml")), "file-not-readable");
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.yaml");
    fs::write(&path, "title: a\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads it all the same, and finds what is wrong with it.
    let root = nix::unistd::geteuid().is_root();
    let problems = read(&path).unwrap_err();
    let expected = if root {
        "missing-key"
    } else {
        "file-not-readable"
    };
    assert_eq!(problems.problems()[0].id, expected);
}

#[test]
fn a_file_of_ten_megabytes_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    File::create(&path).unwrap().set_len(10 << 20).unwrap();
    assert_eq!(id_of(&path), "file-too-large");
}

#[rstest]
#[case::of_the_largest_size(SIZE_MAX, "missing-key")]
#[case::one_byte_more(SIZE_MAX + 1, "file-too-large")]
fn the_largest_file_has_one_mebibyte(#[case] size: usize, #[case] id: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    fs::write(&path, format!("title: a\n#{}", "x".repeat(size - 10))).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().len(),
        u64::try_from(size).unwrap()
    );
    assert_eq!(read(&path).unwrap_err().problems()[0].id, id);
}

#[rstest]
#[case::nul(b"title: a\0b\n", "binary-file", (1, 9))]
#[case::program(b"\x7fELF\x02\x01\x01\0\0", "binary-file", (1, 8))]
#[case::picture(b"\x89PNG\r\n\x1a\n\0", "invalid-utf8", (1, 1))]
#[case::latin1(b"title: a\nnodes: [stra\xdfe]\n", "invalid-utf8", (2, 13))]
#[case::cut_off("title: 網".as_bytes().split_last().unwrap().1, "invalid-utf8", (1, 8))]
fn what_is_no_text_is_refused_at_its_first_bad_byte(
    #[case] bytes: &[u8],
    #[case] id: &str,
    #[case] place: (usize, usize),
) {
    let problems = parse_bytes("x.yaml", bytes).unwrap_err();
    let problem = &problems.problems()[0];
    let at = problems.position(problem).unwrap();
    assert_eq!((problem.id, (at.line, at.column)), (id, place));
    assert!(problems.to_string().lines().any(is_caret), "{problems}");
}

#[test]
fn very_many_values_are_refused() {
    let nodes = vec!["web"; 10_001].join(", ");
    let problems = parse(
        "x.yaml",
        &format!("title: a\nnodes: [{nodes}]\nsteps: []\n"),
    )
    .unwrap_err();
    assert_eq!(problems.problems()[0].id, "too-many-values");
}

#[test]
fn very_many_operations_are_refused_and_the_message_stays_short() {
    let operations = "      - up: wbe/lo\n".repeat(1001);
    let text = format!("title: a\nnodes: [web]\nsteps:\n  - name: a\n    do:\n{operations}");
    let problems = parse("x.yaml", &text).unwrap_err();
    assert_eq!(problems.problems().len(), 1002);
    assert!(
        problems
            .problems()
            .iter()
            .any(|problem| problem.id == "too-many-operations")
    );
    assert!(
        problems
            .to_string()
            .ends_with("and 952 more problems in x.yaml")
    );
}

#[test]
fn colour_changes_nothing_but_colour() {
    let path = Path::new(ROOT).join("fixtures/invalid/undeclared-nodes.yaml");
    let problems = problems(&path).unwrap();
    let colored = problems.render(true);
    assert!(colored.contains("\x1b["));
    let plain: String = colored
        .split("\x1b[")
        .enumerate()
        .map(|(index, part)| {
            if index == 0 {
                part
            } else {
                part.split_once('m').unwrap().1
            }
        })
        .collect();
    assert_eq!(plain, problems.render(false));
}

/// A valid scenario that has a bit of everything.
const VALID: &str = "\
title: Two nodes and a cable
source: linux-network-namespace
nodes: [host, web, &db database]
given:
  - veth: {add: host/eth0, peer: web/uplink}
steps:
  - name: Plug the cable in
    do:
      - veth: {add: web/eth0, peer: database/eth0}
      - address: {add: 10.0.0.1/24, dev: web/eth0, broadcast: +}
      - up: web/eth0
      - route:
          in: web
          add: default
          via: 10.0.0.254 # nobody
        fails: \"Network is unreachable\"
      - sysctl: {in: host, key: net.ipv4.ip_forward, value: 1}
      - masquerade: {in: host, source: 10.0.0.0/24, not-out: eth0}
      - snat: {in: host, source: 10.0.0.0/24, to: 10.0.0.1}
      - dnat: {in: host, chain: output, protocol: tcp, port: 8080, to: 10.0.0.2:80}
      - filter: {in: host, chain: forward, input: eth0, state: [established], then: reject}
      - policy: {in: host, chain: forward, to: drop}
      - listen: {in: database, udp: 53}
      - netns: {add: client}
      - netns: {delete: client}
    expect:
      - ping: {from: web, to: 10.0.0.2, ttl: 64}
        reply: {ttl: 64}
        seen: [{on: database/eth0, source: 10.0.0.1}]
      - arp: {from: web/eth0, to: 10.0.0.2}
        reply: {by: database/eth0}
      - udp: {from: web, to: 10.0.0.9, port: 53}
        rejected: {how: host-unreachable, by: web}
      - tcp: {from: *db, to: 8.8.8.8, port: 80}
        lost: {after: 'database/eth0', leg: reply}
        not-seen:
          - on: host/eth0
    snapshot: [links, routes]
";

#[test]
fn the_valid_scenario_is_valid() {
    if let Err(problems) = parse("valid.yaml", VALID) {
        panic!("{problems}");
    }
}

/// One way to spoil a file.
#[derive(Debug, Clone)]
enum Edit {
    Overwrite(Index, u8),
    Insert(Index, u8),
    InsertText(Index, &'static str),
    Remove(Index, u8),
    RemoveLine(Index),
    RepeatLine(Index),
    SwapLines(Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    const TEXTS: &[&str] = &[
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "&a ",
        "*a",
        "!x ",
        "|\n",
        ">\n",
        "? ",
        "---\n",
        "...\n",
        "<<: ",
        "#",
        "\t",
        "\r",
        "\u{feff}",
        "\u{2028}",
        "網",
        "e\u{301}",
        "\u{200f}",
        "\u{1b}[31m",
        "%",
        "0",
        "999999999999",
        "~",
        "null",
        "::1",
        "\\",
        "\n\n",
        "    ",
    ];
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Overwrite(at, byte)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        (at(), proptest::sample::select(TEXTS)).prop_map(|(at, text)| Edit::InsertText(at, text)),
        (at(), any::<u8>()).prop_map(|(at, count)| Edit::Remove(at, count)),
        at().prop_map(Edit::RemoveLine),
        at().prop_map(Edit::RepeatLine),
        (at(), at()).prop_map(|(one, other)| Edit::SwapLines(one, other)),
    ]
}

fn spoil(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    let with_lines = |bytes: &mut Vec<u8>, change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines: Vec<Vec<u8>> = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        change(&mut lines);
        *bytes = lines.concat();
    };
    match edit {
        Edit::Overwrite(at, byte) => bytes[at.index(len)] = *byte,
        Edit::Insert(at, byte) => bytes.insert(at.index(len), *byte),
        Edit::InsertText(at, text) => {
            let at = at.index(len);
            bytes.splice(at..at, text.bytes());
        }
        Edit::Remove(at, count) => {
            let at = at.index(len);
            bytes.drain(at..len.min(at + usize::from(*count)));
        }
        Edit::RemoveLine(at) => {
            with_lines(bytes, &|lines| drop(lines.remove(at.index(lines.len()))))
        }
        Edit::RepeatLine(at) => with_lines(bytes, &|lines| {
            let at = at.index(lines.len());
            lines.insert(at, lines[at].clone());
        }),
        Edit::SwapLines(one, other) => with_lines(bytes, &|lines| {
            let len = lines.len();
            lines.swap(one.index(len), other.index(len));
        }),
    }
}

/// Parses and renders; a panic is the only failure, together with a message that lacks something.
fn is_explained(bytes: &[u8]) {
    let Err(problems) = parse_bytes("x.yaml", bytes) else {
        return;
    };
    let lacks = shortcomings_of_any(&problems);
    assert!(lacks.is_empty(), "{lacks:?}\n{problems}");
    let unsafe_in_a_terminal = |c: char| c.is_control() && c != '\n';
    assert!(
        !problems.to_string().contains(unsafe_in_a_terminal),
        "{problems:?}"
    );
    problems.render(true);
}

/// As [`shortcomings`], less what only a text without special characters can promise.
fn shortcomings_of_any(problems: &Diagnostics) -> Vec<String> {
    let echoes = ["it speaks of", "is not shown"];
    let mut lacks = shortcomings(problems);
    lacks.retain(|lack| !echoes.iter().any(|echo| lack.contains(echo)));
    lacks
}

/// Returns 2,000 cases, or as many as the variable `PROPTEST_CASES` says: a million take a minute
/// with `--release`.
fn config() -> Config {
    const CASES: u32 = 2_000;
    let config = Config::default();
    let asked = config.cases != Config::with_cases(256).cases;
    Config {
        cases: if asked { config.cases } else { CASES },
        failure_persistence: None,
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_read_or_explained(text in "\\PC{0,200}|(?s:.{0,200})") {
        is_explained(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_explained(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        is_explained(&bytes);
    }

    #[test]
    fn a_spoilt_scenario_is_read_or_explained(edits in proptest::collection::vec(edit(), 1..6)) {
        let mut bytes = VALID.as_bytes().to_vec();
        for edit in &edits {
            spoil(&mut bytes, edit);
        }
        is_explained(&bytes);
    }
}

#[rstest]
#[case::brackets("[")]
#[case::braces("{")]
#[case::braces_with_keys("{a: ")]
#[case::dashes("- ")]
#[case::question_marks("? ")]
#[case::anchors("&a ")]
#[case::tags("!a ")]
#[case::aliases("*a ")]
#[case::quotes("\"")]
#[case::colons(": ")]
#[case::keys("a: ")]
#[case::line_ends("\r")]
#[case::one_long_word("x")]
#[case::documents("---\n")]
#[case::directives("%")]
#[case::blocks("|\n")]
fn a_megabyte_of_one_thing_is_refused_soon(
    #[case] thing: &str,
    #[values(
        "",
        "title: ",
        "title: a\nnodes: ",
        "title: a\nnodes: [web]\nsteps:\n  - name: a\n    do:\n      - up: "
    )]
    before: &str,
) {
    let text = before.to_owned() + &thing.repeat((SIZE_MAX - before.len()) / thing.len());
    let problems = parse("x.yaml", &text).unwrap_err();
    assert!(problems.to_string().len() < 100_000);
}
