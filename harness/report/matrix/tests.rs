//! The matrix in all its forms, from one report.

use rstest::rstest;

use super::*;
use crate::world::Tier;

fn cell(name: &str, scenario: &str, requirement: Requirement, verdict: Verdict) -> Event {
    Event::Cell {
        implementation: name.to_owned(),
        version: Some("1.0".to_owned()),
        tier: Tier::User,
        scenario: scenario.to_owned(),
        requirement: requirement.word().to_owned(),
        profile: Profile::Core,
        verdict,
        observed: Vec::new(),
        reason: (verdict != Verdict::Pass).then(|| "because | of it".to_owned()),
        left: Vec::new(),
        checks: 0,
        agreed: 0,
        ms: 1.0,
    }
}

fn row(name: &str, absent: Option<&str>) -> Event {
    Event::Row {
        implementation: name.to_owned(),
        about: "a tool".to_owned(),
        version: None,
        tier: Tier::User,
        absent: absent.map(str::to_owned),
    }
}

fn report() -> Vec<Event> {
    vec![
        row("a", None),
        cell("a", "x", Requirement::Must, Verdict::Pass),
        cell("a", "y", Requirement::Should, Verdict::Fail),
        row("b", None),
        cell("b", "x", Requirement::Must, Verdict::Fail),
        cell("b", "y", Requirement::Should, Verdict::Unsupported),
        row("c", Some("missing: c")),
    ]
}

#[rstest]
#[case::must(Requirement::Must, Verdict::Fail, true)]
#[case::should(Requirement::Should, Verdict::Fail, false)]
#[case::may(Requirement::May, Verdict::Fail, false)]
#[case::undecided(Requirement::Info, Verdict::Error, true)]
#[case::known(Requirement::Must, Verdict::Xfail, false)]
#[case::no_longer(Requirement::Should, Verdict::Xpass, true)]
#[case::not_there(Requirement::Must, Verdict::Unsupported, false)]
fn what_must_be_and_is_not_is_red(
    #[case] requirement: Requirement,
    #[case] verdict: Verdict,
    #[case] red: bool,
) {
    let report = [row("a", None), cell("a", "x", requirement, verdict)];
    assert_eq!(matrix_has_red(&report), red);
}

#[test]
fn the_table_has_a_row_for_everybody_and_the_reason_of_what_is_red() {
    let text = matrix_as_table(&report());
    for line in [
        "  1  a  1.0, tier user; core: success (MUST 1/1, SHOULD 0/1); extended: nothing tried",
        "  2  b  1.0, tier user; core: failure (MUST 0/1, SHOULD 0/1); extended: nothing tried",
        "  3  c  not tried: missing: c",
        "MUST    x  .  F",
        "SHOULD  y  F  -",
        "FAIL  b x",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
}

#[test]
fn junit_has_a_failure_for_what_is_red_and_a_skipped_case_for_the_rest() {
    let text = matrix_as_junit(&report());
    assert_eq!(text.matches("<failure").count(), 1, "{text}");
    assert_eq!(text.matches("<skipped").count(), 3, "{text}");
}

#[test]
fn markdown_keeps_its_columns() {
    let text = matrix_as_markdown(&report());
    assert!(text.contains("| MUST | x | pass | fail |\n"), "{text}");
    assert!(
        text.contains("- SHOULD y is unsupported: because | of it\n"),
        "{text}"
    );
    assert!(text.contains("not tried: missing: c"), "{text}");
}

#[test]
fn what_has_changed_is_named_and_nothing_else() {
    let before = report();
    let mut now = report();
    now[4] = cell("b", "x", Requirement::Must, Verdict::Pass);
    assert_eq!(matrix_changes(&before, &before), "");
    assert_eq!(matrix_changes(&before, &now), "b x: fail -> pass\n");
    let changes = matrix_changes(&before, &before[..4]);
    assert_eq!(changes, "b x: gone, was fail\nb y: gone, was unsupported\n");
    assert_eq!(matrix_changes(&before, &before[..3]), "", "b was not tried");
    assert_eq!(matrix_changes(&before, &before[..2]), "", "nor was y");
}

fn shown(name: &str, values: &[(&str, &str)]) -> Event {
    let mut cell = cell(name, "z", Requirement::Info, Verdict::Pass);
    if let Event::Cell { observed, .. } = &mut cell {
        observed.extend(values.iter().map(|(of, value)| Shown {
            of: (*of).to_owned(),
            value: (*value).to_owned(),
        }));
    }
    cell
}

/// The cell of one that nothing was seen of.
fn ended_early(name: &str) -> Event {
    let mut cell = cell(name, "z", Requirement::Info, Verdict::Fail);
    if let Event::Cell { verdict, .. } = &mut cell {
        *verdict = Verdict::Pass;
    }
    cell
}

#[test]
fn what_differs_stands_beside_those_who_show_it() {
    let report = [
        row("a", None),
        shown("a", &[("ttl", "64"), ("lo", "up"), ("lo", "down")]),
        row("b", None),
        shown("b", &[("ttl", "64"), ("lo", "down"), ("lo", "down")]),
        row("c", None),
        shown("c", &[("ttl", "64"), ("lo", "down")]),
        row("d", None),
        ended_early("d"),
    ];
    let table = matrix_as_table(&report);
    let expected = "INFO  z
      ttl
        64
          a, b, c
        not looked at, for because | of it
          d
      lo
        down
          b, c
        up
          a
        not looked at, for because | of it
          d
      lo
        down
          a, b
        not looked at
          c
        not looked at, for because | of it
          d
";
    assert!(table.contains(expected), "{table}");
    let page = matrix_as_markdown(&report);
    assert!(
        page.contains("- lo\n  - b, c: `down`\n  - a: `up`\n"),
        "{page}"
    );
    let page = matrix_as_junit(&report);
    assert!(page.contains("ttl: 64\nlo: up\nlo: down"), "{page}");
}

#[test]
fn of_what_was_shown_only_what_is_otherwise_has_changed() {
    let before = [row("a", None), shown("a", &[("ttl", "64"), ("lo", "up")])];
    let now = [
        row("a", None),
        shown("a", &[("ttl", "64"), ("lo", "down"), ("arp", "none")]),
    ];
    assert_eq!(
        matrix_changes(&before, &now),
        "a z: arp: nothing -> `none`\na z: lo: `up` -> `down`\n"
    );
}

#[test]
fn what_is_red_in_an_info_scenario_is_a_failure_of_its_profile() {
    let report = [
        row("a", None),
        cell("a", "z", Requirement::Info, Verdict::Error),
    ];
    assert!(matrix_has_red(&report));
    let table = matrix_as_table(&report);
    assert!(
        table.contains("core: failure; extended: nothing tried"),
        "{table}"
    );
}

/// A report of one cell that says everything a cell can say.
fn of_one(requirement: Requirement, verdict: Verdict) -> [Event; 2] {
    let mut cell = cell("a", "x", requirement, verdict);
    if let Event::Cell {
        left,
        checks,
        agreed,
        ms,
        ..
    } = &mut cell
    {
        left.push("links in host: left1".to_owned());
        (*checks, *agreed, *ms) = (3, 2, 1234.0);
    }
    [row("a", None), cell]
}

#[rstest]
#[case::all_of_it(Requirement::Must, Verdict::Pass, "core: success (MUST 1/1)")]
#[case::not_done(Requirement::Must, Verdict::Unsupported, "core: partial (MUST 0/1)")]
#[case::left_out(Requirement::Must, Verdict::Skipped, "core: partial (MUST 0/1)")]
#[case::known(Requirement::Must, Verdict::Xfail, "core: partial (MUST 0/1)")]
#[case::no_longer(Requirement::Should, Verdict::Xpass, "core: failure (SHOULD 0/1)")]
#[case::fails(Requirement::Must, Verdict::Fail, "core: failure (MUST 0/1)")]
#[case::undecided(Requirement::May, Verdict::Error, "core: failure (MAY 0/1)")]
#[case::need_not_be(
    Requirement::Should,
    Verdict::Unsupported,
    "core: success (SHOULD 0/1)"
)]
fn who_leaves_out_what_must_be_conforms_in_part(
    #[case] requirement: Requirement,
    #[case] verdict: Verdict,
    #[case] expected: &str,
) {
    let report = of_one(requirement, verdict);
    let table = matrix_as_table(&report);
    assert!(table.contains(&format!("{expected};")), "{table}");
    let page = matrix_as_markdown(&report);
    let expected = expected.trim_start_matches("core: ");
    assert!(page.contains(&format!("| {expected} |")), "{page}");
}

#[test]
fn how_often_its_own_check_was_right_is_told() {
    let checked = of_one(Requirement::Must, Verdict::Pass);
    let table = matrix_as_table(&checked);
    let right = "; its own check was right 2 of 3 times\n";
    assert!(table.contains(right), "{table}");
    let page = matrix_as_markdown(&checked);
    assert!(page.contains("| right 2 of 3 times |\n"), "{page}");
    let page = matrix_as_markdown(&report());
    assert!(page.contains("| none |\n"), "{page}");
}

#[test]
fn a_version_of_several_lines_is_one_line() {
    let mut report = of_one(Requirement::Must, Verdict::Pass);
    for event in &mut report {
        if let Event::Cell { version, .. } = event {
            *version = Some("1.0 | free\nof charge".to_owned());
        }
    }
    let (table, page) = (matrix_as_table(&report), matrix_as_markdown(&report));
    assert!(table.contains("  1.0 | free of charge, tier"), "{table}");
    assert!(page.contains("| 1.0 \\| free of charge |"), "{page}");
}

#[test]
fn a_heading_stands_above_something() {
    let page = matrix_as_markdown(&[
        row("a", None),
        cell("a", "x", Requirement::Must, Verdict::Pass),
    ]);
    for heading in ["Reasons", "Information", "Left behind"] {
        assert!(!page.contains(heading), "{page}");
    }
}

#[test]
fn what_is_left_behind_is_told() {
    let report = of_one(Requirement::Must, Verdict::Pass);
    let table = matrix_as_table(&report);
    let left = "\nLEFT  a\n      links in host: left1\n";
    assert!(table.contains(left), "{table}");
    let page = matrix_as_markdown(&report);
    let left = "\n## Left behind\n\n- a:\n  - `links in host: left1`\n";
    assert!(page.contains(left), "{page}");
    // Where it broke off, nothing was taken away.
    let table = matrix_as_table(&of_one(Requirement::Must, Verdict::Error));
    assert!(!table.contains("LEFT"), "{table}");
}

#[rstest]
#[case::pass(Requirement::Must, Verdict::Pass, '.', "pass")]
#[case::information(Requirement::Info, Verdict::Pass, 'i', "info")]
#[case::fail(Requirement::Must, Verdict::Fail, 'F', "fail")]
#[case::error(Requirement::Info, Verdict::Error, 'E', "error")]
#[case::unsupported(Requirement::Must, Verdict::Unsupported, '-', "unsupported")]
#[case::skipped(Requirement::Must, Verdict::Skipped, 's', "skipped")]
#[case::xfail(Requirement::Must, Verdict::Xfail, 'x', "xfail")]
#[case::xpass(Requirement::Must, Verdict::Xpass, 'X', "xpass")]
fn every_verdict_has_a_sign_and_a_word(
    #[case] requirement: Requirement,
    #[case] verdict: Verdict,
    #[case] sign: char,
    #[case] word: &str,
) {
    let report = of_one(requirement, verdict);
    let table = matrix_as_table(&report);
    let line = format!("{:<8}x  {sign}\n", requirement.word());
    assert!(table.contains(&line), "{line}{table}");
    assert!(table.contains(&format!("{sign} ")), "the legend has it");
    let page = matrix_as_markdown(&report);
    let line = format!("| {} | x | {word} |\n", requirement.word());
    assert!(page.contains(&line), "{line}{page}");
}

#[test]
fn a_line_of_a_table_keeps_its_columns() {
    let page = matrix_as_markdown(&[row("c", Some("missing: a | b,\nand c"))]);
    assert!(
        page.contains("| not tried: missing: a \\| b, and c | | |\n"),
        "{page}"
    );
}

#[test]
fn what_is_new_is_named_and_what_is_worse_has_its_reason() {
    let now = report();
    let mut before = report();
    before[4] = cell("b", "x", Requirement::Must, Verdict::Pass);
    assert_eq!(
        matrix_changes(&before, &now),
        "b x: pass -> fail (because | of it)\n"
    );
    let changes = matrix_changes(&before[..4], &now);
    assert_eq!(changes, "b x: new: fail\nb y: new: unsupported\n");
}

#[rstest]
#[case::undecided(Requirement::Info, Verdict::Error, "<error message=\"error: because")]
#[case::fails(Requirement::Must, Verdict::Fail, "<failure message=\"fail: because")]
#[case::no_longer(
    Requirement::Should,
    Verdict::Xpass,
    "<failure message=\"xpass: because"
)]
#[case::not_red(Requirement::May, Verdict::Fail, "<skipped message=\"fail: because")]
fn junit_says_what_a_case_came_to_and_how_many_seconds_it_took(
    #[case] requirement: Requirement,
    #[case] verdict: Verdict,
    #[case] expected: &str,
) {
    let page = matrix_as_junit(&of_one(requirement, verdict));
    assert!(page.contains(expected), "{page}");
    assert!(page.contains(" time=\"1.234\""), "{page}");
}

/// A report of one implementation, with the reason of each of its cells.
fn with_reasons(cells: &[(&str, Requirement, Verdict, &str)]) -> Vec<Event> {
    let cell = |(scenario, requirement, verdict, why): &(&str, Requirement, Verdict, &str)| {
        let mut cell = cell("a", scenario, *requirement, *verdict);
        if let Event::Cell { reason, .. } = &mut cell {
            *reason = Some((*why).to_owned());
        }
        cell
    };
    std::iter::once(row("a", None))
        .chain(cells.iter().map(cell))
        .collect()
}

#[test]
fn one_reason_is_told_once_and_what_is_red_stands_apart() {
    let report = with_reasons(&[
        ("v", Requirement::Must, Verdict::Fail, "no reply"),
        ("w", Requirement::Must, Verdict::Fail, "no reply"),
        ("x", Requirement::Must, Verdict::Fail, "\u{1b}[2Ja\nreset"),
        ("y", Requirement::Should, Verdict::Fail, "no reply"),
        ("z", Requirement::Should, Verdict::Error, "no reply"),
    ]);
    let table = matrix_as_table(&report);
    let expected = "
FAIL  a v, w
      no reply

FAIL  a x
      \u{fffd}[2Ja reset

FAIL  a y (not red)
      no reply

ERROR  a z
      no reply

`netproof run --implementation NAME SCENARIO` shows where a packet ended, and why
";
    assert!(table.contains(expected), "{table}");
}

#[test]
fn what_is_not_done_is_told_once_whatever_met_it_first() {
    let report = with_reasons(&[
        (
            "v",
            Requirement::Must,
            Verdict::Unsupported,
            "attach c1: no mtu",
        ),
        (
            "w",
            Requirement::Must,
            Verdict::Unsupported,
            "network n1: no mtu",
        ),
        ("x", Requirement::Must, Verdict::Skipped, "attach: later"),
        ("y", Requirement::Must, Verdict::Xfail, "it is known"),
    ]);
    let table = matrix_as_table(&report);
    let expected = "
UNSUPPORTED  a
      no mtu
        v, w

SKIPPED  a
      attach: later
        x

XFAIL  a
      it is known
        y
";
    assert!(table.contains(expected), "{table}");
    assert!(!table.contains("netproof run"), "{table}");
}

#[rstest]
#[case::known(Verdict::Xfail, true)]
#[case::fails(Verdict::Fail, false)]
#[case::not_done(Verdict::Unsupported, false)]
fn only_who_came_to_the_end_has_left_something(#[case] verdict: Verdict, #[case] told: bool) {
    let table = matrix_as_table(&of_one(Requirement::Must, verdict));
    assert_eq!(table.contains("\nLEFT  a\n"), told, "{table}");
}

#[test]
fn what_was_looked_at_twice_has_changed_each_for_itself() {
    let seen = |values| [row("a", None), shown("a", values)];
    let before = seen(&[("lo", "up"), ("lo", "down"), ("lo", "gone")]);
    let now = seen(&[("lo", "down"), ("lo", "down")]);
    assert_eq!(
        matrix_changes(&before, &now),
        "a z: lo: `up` -> `down`\na z: lo: `gone` -> nothing\n"
    );
}

#[test]
fn junit_has_a_suite_for_each_and_says_how_much_is_asked() {
    let page = matrix_as_junit(&report());
    for part in [
        r#"<testcase name="x" classname="MUST""#,
        r#"<testcase name="y" classname="SHOULD""#,
        r#"<testsuite name="c""#,
        r#"<skipped message="missing: c"/>"#,
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}
