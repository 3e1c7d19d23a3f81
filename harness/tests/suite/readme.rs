//! The documents: what they show is run, what they list is compared with the program.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use netproof::kernel::KernelError;
use netproof::scenario::{Diagnostic, Operation, parse, parse_bytes};
use netproof::world::{Stage, UNKNOWN_CURE, WorldError};
use nix::errno::Errno;
use rstest::rstest;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The scenario that the README shows failing.
const FAILING: &str = "fixtures/readme/router.yaml";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// Lists every document, as a path below the root.
fn documents() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "docs"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "md") {
                let below = path.strip_prefix(ROOT).unwrap();
                found.push(below.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// A fenced block of a document.
struct Block {
    language: String,
    /// The line of the document that the fence is on.
    line: usize,
    text: String,
}

fn blocks(document: &str, language: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in document.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    line: at + 1,
                    text: String::new(),
                });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks.retain(|block| block.language == language);
    blocks
}

/// Returns the rows of the table with these headings, each cell trimmed.
fn table(document: &str, headings: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let mut lines = document.lines().skip_while(|line| cells(line) != headings);
    assert!(lines.next().is_some(), "there is no table of {headings:?}");
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// Returns what stands between the first two backticks of a cell.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_default()
}

/// Writes every duration as 0: `[   0.029s]`, `"ms":0.4`.
fn with_times_as_zero(text: &str) -> String {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['[', ':']) {
        let (before, from) = rest.split_at(at);
        out += before;
        let (mark, behind) = from.split_at(1);
        out += mark;
        rest = behind;
        let value = behind.trim_start_matches(' ');
        let after = value.trim_start_matches(number);
        let is_number = after.len() < value.len();
        let is_time = match mark {
            "[" => after.starts_with("s]"),
            _ => out.ends_with("ms\":"),
        };
        if is_number && is_time {
            out += "0";
            rest = after;
        }
    }
    out + rest
}

/// Tells whether lines are as shown, where `...` stands for any number of lines.
fn is_shown(shown: &[&str], lines: &[&str]) -> bool {
    match (shown.split_first(), lines.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((&"...", others)), _) => {
            (0..=lines.len()).any(|skipped| is_shown(others, &lines[skipped..]))
        }
        (Some((first, others)), Some((line, rest))) => {
            first.trim_end() == line.trim_end() && is_shown(others, rest)
        }
        (Some(_), None) => false,
    }
}

/// Runs netproof in the root and returns all that it prints, and its exit code.
fn netproof(arguments: &str) -> (String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(arguments.split_whitespace())
        .current_dir(ROOT)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    (text, output.status.code().unwrap())
}

/// Goes through a session line by line and returns what is not as shown.
fn failures_of_session(session: &str) -> Vec<String> {
    let mut failures = Vec::new();
    let mut code = 0;
    for part in format!("\n{session}").split("\n$ ").skip(1) {
        let (command, shown) = part.split_once('\n').unwrap_or((part, ""));
        let output = match command.strip_prefix("netproof ") {
            Some(arguments) => {
                let (output, status) = netproof(arguments);
                code = status;
                output
            }
            None if command == "echo $?" => format!("{code}\n"),
            None => {
                failures.push(format!("`{command}` is no command that is tested"));
                continue;
            }
        };
        let (shown, output) = (with_times_as_zero(shown), with_times_as_zero(&output));
        let lines = |text: &str| {
            text.trim_end()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let (shown_lines, lines) = (lines(&shown), lines(&output));
        let borrow = |lines: &[String]| {
            lines
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("\n")
        };
        if !is_shown(
            &shown_lines.iter().map(String::as_str).collect::<Vec<_>>(),
            &lines.iter().map(String::as_str).collect::<Vec<_>>(),
        ) {
            failures.push(format!(
                "`{command}` is shown to print\n{}\nand prints\n{}",
                borrow(&shown_lines),
                borrow(&lines)
            ));
        }
    }
    failures
}

#[test]
fn every_session_that_a_document_shows_is_what_happens() {
    let mut failures = Vec::new();
    let mut sessions = 0;
    for document in documents() {
        for block in blocks(&read(&document), "console") {
            sessions += 1;
            for failure in failures_of_session(&block.text) {
                failures.push(format!("{document}:{}: {failure}", block.line));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(sessions > 3, "the documents show nothing");
}

/// Makes a scenario of what is not one yet: items of a list, in nodes with the names that documents
/// use.
fn scenario_of(items: &str) -> String {
    if items.starts_with("title:") {
        return items.to_owned();
    }
    let first = items.trim_start().trim_start_matches("- ");
    let verb = first.split(':').next().unwrap_or_default();
    let list = if Operation::VERBS.contains(&verb) {
        "do"
    } else {
        "expect"
    };
    let nodes = "[host, web, database]";
    let indent = items.len() - items.trim_start().len();
    let items: String = items
        .lines()
        .map(|line| format!("      {}\n", line.get(indent..).unwrap_or_default()))
        .collect();
    format!("title: t\nnodes: {nodes}\nipv6: {nodes}\nsteps:\n  - name: s\n    {list}:\n{items}")
}

#[test]
fn every_scenario_that_a_document_shows_is_right() {
    let mut found = 0;
    for document in documents() {
        for block in blocks(&read(&document), "yaml") {
            found += 1;
            let place = format!("{document}:{}", block.line);
            if let Err(problems) = parse(&place, &scenario_of(&block.text)) {
                panic!("{place}:\n{problems}");
            }
        }
    }
    assert!(found > 3, "the documents show no scenario");
}

#[test]
fn the_readme_shows_the_failing_scenario_and_what_mends_it() {
    let readme = read("README.md");
    let shown = blocks(&readme, "yaml");
    let scenario = shown.first().map(|block| block.text.as_str());
    assert_eq!(scenario, Some(read(FAILING).as_str()));

    let remedy = &shown[1].text;
    let mended = read(FAILING).replace("    expect:\n", &format!("{remedy}    expect:\n"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.yaml");
    fs::write(&file, mended).unwrap();
    let (output, code) = netproof(&format!("run {}", file.display()));
    assert_eq!(code, 0, "{output}");
}

#[test]
fn the_two_commands_of_the_readme_are_those_that_ci_runs() {
    let readme = read("README.md");
    let commands: Vec<String> = blocks(&readme, "sh")
        .iter()
        .flat_map(|block| block.text.lines())
        .filter(|line| line.starts_with("cargo "))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        commands,
        ["cargo run --release -- run", "cargo nextest run"]
    );
    let script = read(".ci/run");
    for command in commands {
        let lines = script.lines().filter(|line| line.trim() == command);
        assert_eq!(lines.count(), 1, "{command}");
    }
}

/// Every refusal that a machine is known for, with what netproof says about it.
fn cures() -> Vec<&'static str> {
    let stages = [
        Stage::UserNamespace,
        Stage::IdMap,
        Stage::Namespaces,
        Stage::Mounts,
        Stage::NetNamespace,
    ];
    let errnos = [Errno::ENOSPC, Errno::EPERM, Errno::EACCES];
    let error = |stage, errno| WorldError {
        stage,
        node: None,
        detail: None,
        reason: KernelError::from_errno(errno),
    };
    stages
        .into_iter()
        .flat_map(|stage| errnos.map(|errno| error(stage, errno).cure()))
        .collect()
}

#[test]
fn the_readme_names_the_remedies_that_netproof_names() {
    let readme = read("README.md");
    let settings: Vec<&str> = blocks_text(&readme, "sh")
        .filter_map(|line| line.split('#').next())
        .map(str::trim)
        .filter(|line| line.starts_with("sudo sysctl "))
        .collect();
    let cures = cures().join("\n");
    for setting in &settings {
        assert!(cures.contains(setting), "{setting}");
    }
    let named: BTreeSet<&str> = cures
        .split('`')
        .filter(|part| part.starts_with("sudo sysctl "))
        .collect();
    assert_eq!(named, settings.into_iter().collect());
}

#[test]
fn every_refusal_is_listed_with_the_cure_that_netproof_names() {
    let stages = [
        Stage::UserNamespace,
        Stage::IdMap,
        Stage::Namespaces,
        Stage::Process,
        Stage::Mounts,
        Stage::NetNamespace,
        Stage::Baseline,
        Stage::Socket,
    ];
    let errnos = [
        Errno::ENOSPC,
        Errno::EPERM,
        Errno::EACCES,
        Errno::EINVAL,
        Errno::EMFILE,
        Errno::EAGAIN,
        Errno::ENOMEM,
    ];
    let known: Vec<(String, &str)> = stages
        .into_iter()
        .flat_map(|stage| {
            errnos.map(|errno| {
                let error = WorldError {
                    stage,
                    node: None,
                    detail: None,
                    reason: KernelError::from_errno(errno),
                };
                (error.to_string(), error.cure())
            })
        })
        .filter(|(_, cure)| *cure != UNKNOWN_CURE)
        .collect();
    let rows = table(&read("docs/troubleshooting.md"), &["message", "cure"]);
    for row in &rows {
        let is = |(message, cure): &(String, &str)| *message == row[0] && *cure == row[1];
        assert!(known.iter().any(is), "{row:?}");
    }
    let listed: BTreeSet<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(
        known.iter().map(|(_, cure)| *cure).collect::<BTreeSet<_>>(),
        listed
    );
}

#[test]
fn every_check_of_doctor_is_listed() {
    let document = read("docs/troubleshooting.md");
    let rows = table(&document, &["check", "when it is an obstacle"]);
    let listed: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    let (output, _) = netproof("doctor --format json");
    let checks: Vec<&str> = output
        .lines()
        .filter_map(|line| line.split("\"check\":\"").nth(1)?.split('"').next())
        .filter(|check| !check.starts_with("tool/"))
        .collect();
    assert_eq!(listed, checks);
}

/// Goes through the lines of all blocks of a language.
fn blocks_text<'a>(document: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    let fence = format!("```{language}");
    let mut inside = false;
    document.lines().filter(move |line| {
        let was = inside;
        inside = if inside {
            !line.starts_with("```")
        } else {
            **line == *fence
        };
        was && inside
    })
}

#[test]
fn every_event_is_in_the_table_of_the_readme() {
    let readme = read("README.md");
    let rows = table(&readme, &["event", "when"]);
    let listed: BTreeSet<&str> = rows.iter().map(|row| code(&row[0])).collect();
    let (ran, _) = netproof(&format!("run --format json {FAILING} tutorials/gateway"));
    let (looked, _) = netproof("doctor --format json");
    let output = ran + &looked;
    let emitted: BTreeSet<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("{\"event\":\"")?.split('"').next())
        .collect();
    assert!(emitted.is_subset(&listed), "{emitted:?}");
    // Nothing went so wrong that it could not be carried through.
    assert_eq!(
        listed.difference(&emitted).collect::<Vec<_>>(),
        [&"failure"]
    );
}

#[test]
fn the_table_of_verbs_is_the_list_of_verbs_with_the_commands_they_are() {
    let rows = table(&read("docs/format.md"), &["verb", "example", "command"]);
    let listed: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    let verbs: Vec<&str> = listed.iter().copied().filter(|it| !it.is_empty()).collect();
    assert_eq!(verbs, Operation::VERBS);

    let mut verb = "";
    for (row, listed) in rows.iter().zip(listed) {
        verb = if listed.is_empty() { verb } else { listed };
        let text = scenario_of(&format!("- {}", code(&row[1])));
        let scenario = parse(code(&row[1]), &text).unwrap();
        let operation = &scenario.steps[0].operations[0].operation;
        assert_eq!(operation.verb(), verb);
        assert_eq!(operation.command(), code(&row[2]));
    }
}

#[test]
fn every_fate_goes_with_every_probe_that_has_it() {
    let format = read("docs/format.md");
    let cells = |headings: &[&str]| -> Vec<String> {
        let rows = table(&format, headings);
        rows.iter().map(|row| code(&row[0]).to_owned()).collect()
    };
    let probes = cells(&["probe", "what is sent"]);
    let fates = cells(&["fate", "what it means"]);
    for probe in &probes {
        for fate in &fates {
            let is_arp = probe.starts_with("arp") || probe.starts_with("ndp");
            let only_arp = fate.contains("by: database/eth0");
            let only_ip = fate.contains("ttl:");
            let text = scenario_of(&format!("- {probe}\n  {fate}"));
            let right = if is_arp { !only_ip } else { !only_arp };
            assert_eq!(parse("x", &text).is_ok(), right, "{probe} {fate}");
        }
    }
}

/// The words that netproof itself lists where another stands.
fn known_words(item: &str) -> Vec<String> {
    let text = scenario_of(item);
    let problems = parse("x.yaml", &text).unwrap_err();
    let problem = &problems.problems()[0];
    let lists = [problem.help.as_deref().unwrap_or_default(), &problem.label];
    let list = lists
        .iter()
        .find_map(|text| text.split_once(": "))
        .map(|(_, list)| list);
    list.unwrap_or_default()
        .split(", ")
        .map(str::to_owned)
        .collect()
}

#[rstest]
#[case::rejections(
    "how",
    "what says so",
    "- ping: {from: web, to: 10.0.0.1}\n  rejected: {how: qqqqq, by: web}"
)]
#[case::kinds_of_facts(
    "kind",
    "what it shows of every node",
    "title: t\nnodes: [a]\nsteps: [{name: s, snapshot: [qqqqq]}]"
)]
#[case::sightings(
    "key",
    "what stands there",
    "- ping: {from: web, to: 10.0.0.1}\n  reply: {}\n  seen: [{qqqqq: web/lo}]"
)]
fn a_table_of_words_has_every_word(#[case] word: &str, #[case] what: &str, #[case] item: &str) {
    let format = read("docs/format.md");
    // There are several tables of keys; that of sightings is the last.
    let from = format.find("### Sightings").filter(|_| word == "key");
    let rows = table(&format[from.unwrap_or_default()..], &[word, what]);
    let mut listed: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    let mut known = known_words(item);
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[test]
fn every_diagnostic_is_listed_with_an_example_that_shows_it() {
    let rows = table(&read("docs/diagnostics.md"), &["id", "for example"]);
    let ids: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    assert_eq!(ids, Diagnostic::IDS);
    for (row, id) in rows.iter().zip(ids) {
        let Some((message, target)) = row[1]
            .strip_prefix('[')
            .and_then(|it| it.split_once("](../"))
        else {
            continue;
        };
        let file = target.trim_end_matches(')');
        let bytes = fs::read(Path::new(ROOT).join(file)).unwrap();
        let problems = parse_bytes(file, &bytes).unwrap_err();
        let shows = |problem: &Diagnostic| problem.id == id && problem.message == message;
        assert!(problems.problems().iter().any(shows), "{file}: {problems}");
    }
}

/// Returns the anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let text: String = heading.trim().to_lowercase().chars().filter(kept).collect();
    text.replace(' ', "-")
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let text = read(&document);
        let folder = Path::new(&document).parent().unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.starts_with("https://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = if path.is_empty() {
                document.clone().into()
            } else {
                folder.join(path)
            };
            let full = Path::new(ROOT).join(&target);
            assert!(full.exists(), "{document}: {link}");
            if !heading.is_empty() {
                let headings = fs::read_to_string(full).unwrap();
                let found = headings
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(found, "{document}: {link}");
            }
        }
    }
}

#[rstest]
#[case::human("PASS [   0.029s] a [x]", "PASS [0s] a [x]")]
#[case::json(r#"{"step":1,"ms":0.48,"by":[]}"#, r#"{"step":1,"ms":0,"by":[]}"#)]
#[case::wall(r#""wall_ms":47.5}"#, r#""wall_ms":0}"#)]
#[case::nothing("no time: 12 s", "no time: 12 s")]
fn only_times_are_normalised(#[case] text: &str, #[case] normalised: &str) {
    assert_eq!(with_times_as_zero(text), normalised);
}

#[rstest]
#[case::same(&["a", "b"], true)]
#[case::cut(&["...", "b"], true)]
#[case::cut_to_nothing(&["a", "...", "b"], true)]
#[case::other(&["a", "c"], false)]
#[case::more(&["a", "b", "c"], false)]
#[case::less(&["a"], false)]
fn dots_stand_for_any_lines(#[case] shown: &[&str], #[case] is: bool) {
    assert_eq!(is_shown(shown, &["a", "b"]), is);
}

/// Every number that a document gives as a limit stands in the program's own refusal.
#[rstest]
#[case::operations(1001, "more than 1000 operations")]
#[case::values(5000, "more than 10000 values")]
fn a_limit_is_the_number_that_the_documents_give(#[case] items: usize, #[case] limit: &str) {
    let text = scenario_of(&"- up: web/lo\n".repeat(items));
    let problems = parse("x.yaml", &text).unwrap_err();
    assert!(
        problems.problems()[0].message.ends_with(limit),
        "{problems}"
    );
    assert!(read("docs/diagnostics.md").contains(&format!("| {limit} |")));
}

#[test]
fn the_documents_name_what_is_hidden_as_the_program_does() {
    let deadline = netproof::world::Launch::default().deadline.as_secs();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(document);
        assert!(text.contains(&format!("`{}`", netproof::world::WORLD_ARGUMENT)));
        assert!(text.contains("run --hostile-baseline`"));
    }
    assert!(read("CONTRIBUTING.md").contains("`netproof run --implementation shell`"));
    assert!(read("ARCHITECTURE.md").contains(&format!("outlives {deadline} seconds")));
    assert!(read("docs/format.md").contains("at most 1 MiB"));
    assert_eq!(netproof::scenario::SIZE_MAX, 1 << 20);
    let (_, code) = netproof("run --hostile-baseline tutorials/gateway");
    assert_eq!(code, 0);
}
