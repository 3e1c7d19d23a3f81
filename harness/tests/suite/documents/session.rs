//! What a document shows of the command line is what happens.

use std::path::Path;

use netproof::run::Required;
use rstest::rstest;

use super::{blocks, documents, netproof, read};

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
        let normal = |text: &str| with_folders_as_zero(&with_times_as_zero(text));
        let (shown, output) = (normal(shown), normal(&output));
        let (shown, output) = (shown.trim_end(), output.trim_end());
        let lines = |text| str::lines(text).collect::<Vec<_>>();
        if !is_shown(&lines(shown), &lines(output)) {
            failures.push(format!(
                "`{command}` is shown to print\n{shown}\nand prints\n{output}"
            ));
        }
    }
    failures
}

/// Tells whether a session has adapters whose tools are missing here, and which nobody requires.
#[expect(
    clippy::disallowed_methods,
    reason = "what the machine must have is said where the machine is chosen"
)]
fn lacks_tools(session: &str) -> bool {
    let required = Required::parse(&std::env::var(Required::VARIABLE).unwrap_or_default());
    let folders = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    let is_there = |tool: &str| folders.iter().any(|it| Path::new(it).join(tool).exists());
    let missing = |tool: &&str| !is_there(tool) && !required.holds(tool);
    session.contains("fixtures/adapters/") && ["ip", "python3"].iter().any(missing)
}

#[test]
fn every_session_that_a_document_shows_is_what_happens() {
    let mut failures = Vec::new();
    let mut sessions = 0;
    for document in documents() {
        for block in blocks(&read(&document), "console") {
            sessions += 1;
            if lacks_tools(&block.text) {
                eprintln!(
                    "{document}:{}: ignored, for ip or python3 is missing",
                    block.line
                );
                continue;
            }
            for failure in failures_of_session(&block.text) {
                failures.push(format!("{document}:{}: {failure}", block.line));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(sessions > 3, "the documents show nothing");
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

/// Writes the number in the name of each folder for temporary files as 0.
fn with_folders_as_zero(text: &str) -> String {
    let mut parts = text.split("/netproof-");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out += "/netproof-";
        out += if after.len() < part.len() { "0" } else { "" };
        out += after;
    }
    out
}
