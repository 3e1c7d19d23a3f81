//! `netproof show`: a scenario as a shell script. That the scripts do what the scenarios do is proven
//! beside the scenarios, in harness/tests/scenarios/show.rs.

use std::process::{Command, Output};

fn show(scenario: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(["show", scenario])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

#[test]
fn a_tutorial_is_shown_as_the_commands_that_it_is_about() {
    let output = show("tutorials/web-database");
    assert_eq!(output.status.code(), Some(0));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let script = String::from_utf8(output.stdout).unwrap();
        insta::assert_snapshot!("show__web-database", script);
    });
}

#[test]
fn a_folder_of_scenarios_is_no_script() {
    let output = show("tutorials");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("error[several-scenarios]"),
        "{complaint}"
    );
}
