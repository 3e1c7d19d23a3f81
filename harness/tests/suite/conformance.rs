//! The matrix from the command line: its report, what may not be absent, and what it says of mistakes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

fn conformance(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command
        .arg("conformance")
        .args(arguments)
        .env_remove("NETPROOF_REQUIRE");
    command
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// An adapter that says ok and does nothing, which must fail and must not break.
const IDLE: &str = "exec:fixtures/adapters/bad/do-nothing.sh";

fn with_idle(more: &[&str]) -> (Option<i32>, String, String) {
    let mut arguments = vec!["--adapter", IDLE];
    arguments.extend(more);
    let mut command = conformance(&arguments);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    said(&output.unwrap())
}

#[test]
fn a_must_that_fails_ends_with_1_and_an_info_fails_never() {
    let (code, text, errors) = with_idle(&["--format", "json", "containers/two-endpoints"]);
    assert_eq!(code, Some(1), "{text}{errors}");
    let cell: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&cell["event"], &cell["verdict"]),
        (&"cell".into(), &"fail".into())
    );
    assert_eq!(cell["requirement"], "MUST");
    assert!(
        cell["reason"]
            .as_str()
            .unwrap()
            .contains("there is no interface"),
        "{cell}"
    );

    let (code, text, errors) = with_idle(&["--format", "json", "containers/ttl"]);
    assert_eq!(code, Some(0), "{text}{errors}");
    let cell: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&cell["requirement"], &cell["verdict"]),
        (&"INFO".into(), &"pass".into())
    );
}

#[test]
fn a_report_is_appended_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.jsonl");
    let path = file.to_str().unwrap();
    let native = ["--implementation", "native", "containers/two-endpoints"];
    let first = conformance(&native)
        .args(["--report", path])
        .output()
        .unwrap();
    assert_eq!(said(&first).0, Some(0));
    let again = conformance(&native)
        .args(["--report", path])
        .output()
        .unwrap();
    assert_eq!(said(&again).0, Some(0));
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(
        written.matches("\"event\":\"cell\"").count(),
        2,
        "{written}"
    );

    // The last line was not written to its end.
    let broken = written.replace("\"pass\"", "\"fail\"") + "{\"event\":\"ce";
    fs::write(&file, broken).unwrap();
    let against = conformance(&native)
        .args(["--against", path])
        .output()
        .unwrap();
    let (code, _, errors) = said(&against);
    assert_eq!(code, Some(0), "what has changed for the better is not red");
    assert_eq!(
        errors,
        "changed:\nnative containers/two-endpoints: fail -> pass\n"
    );
}

#[rstest]
#[case::no_report(&["--against", "/nonexistent"], "no-report", "--report FILE")]
#[case::no_cell(&["--against", "Cargo.toml"], "no-report", "--report FILE")]
#[case::unwritable(&["--report", "/nonexistent/x"], "unwritable-report", "a folder that is there")]
#[case::nothing(&["tutorials/gateway"], "nothing-to-try", "netproof list containers")]
#[case::nobody(&["--implementation", "podmann"], "no-such-implementation", "podman")]
fn a_mistake_is_2_and_says_what_would_be_right(
    #[case] arguments: &[&str],
    #[case] id: &str,
    #[case] help: &str,
) {
    let mut command = conformance(arguments);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let (code, text, errors) = said(&output.unwrap());
    assert_eq!((code, text.as_str()), (Some(2), ""), "{errors}");
    assert!(
        errors.contains(&format!("error[{id}]")) && errors.contains(help),
        "{errors}"
    );
}

#[test]
fn who_is_absent_has_a_row_and_is_required_only_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let text = "name: mine\nabout: nothing\nversion: [no-such-program]\nneeds: [no-such-program]\n\
                operations: {up: [no-such-program, <up>]}\n";
    fs::write(&file, text).unwrap();
    let tried = |file: &Path, required: &str| {
        let arguments = [
            "--implementation",
            file.to_str().unwrap(),
            "containers/two-endpoints",
        ];
        let output = conformance(&arguments)
            .env("NETPROOF_REQUIRE", required)
            .output();
        said(&output.unwrap())
    };
    let (code, text, errors) = tried(&file, "");
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        text.contains("mine  not tried: missing: no-such-program"),
        "{text}"
    );
    let (code, _, errors) = tried(&file, "mine");
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains("help: install it"), "{errors}");
}
