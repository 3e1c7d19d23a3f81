//! The matrix as JUnit, for the pages of CI systems.

use std::time::Duration;

use quick_junit::{Report, TestCase, TestCaseStatus, TestSuite};

use super::{Asked, Cell, Matrix, is_red};
use crate::judge::Verdict;
use crate::report::junit::status;
use crate::run::{Event, Shown};

/// Writes the matrix as JUnit: a suite for each implementation, a case for each scenario. What is not
/// red and does not pass is a case that was skipped, with its reason.
pub fn matrix_as_junit(events: &[Event]) -> String {
    let matrix = Matrix::of(events);
    let mut report = Report::new("netproof conformance");
    for row in &matrix.rows {
        let mut suite = TestSuite::new(row.name);
        if let Some(absent) = row.absent {
            let mut status = TestCaseStatus::skipped();
            status.set_message(absent);
            suite.add_test_case(TestCase::new("is here", status));
        }
        for (asked, cell) in matrix.cells_of(row) {
            suite.add_test_case(case(asked, cell));
        }
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

fn case(asked: &Asked<'_>, cell: &Cell<'_>) -> TestCase {
    let mut status = status(cell.verdict, is_red(asked, cell));
    if cell.verdict != Verdict::Pass {
        let reason = cell.reason.unwrap_or_default();
        status.set_message(format!("{}: {reason}", cell.verdict));
    }
    let mut case = TestCase::new(asked.scenario, status);
    case.set_classname(asked.requirement.word());
    case.set_time(Duration::from_secs_f64((cell.ms / 1e3).max(0.0)));
    if !cell.observed.is_empty() {
        let lines = cell.observed.iter();
        let lines: Vec<String> = lines
            .map(|Shown { of, value }| format!("{of}: {value}"))
            .collect();
        case.set_system_out(lines.join("\n"));
    }
    case
}
