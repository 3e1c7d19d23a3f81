//! What was run, as JUnit, for the pages of CI systems.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::human::Human;
use crate::judge::Verdict;
use crate::run::Event;

/// Collects scenarios, each with what a person would be told of it.
#[derive(Debug, Default)]
pub struct Junit {
    human: Human,
    /// The folders of scenarios, in the order in which the first of each was judged.
    suites: Vec<(String, Vec<TestCase>)>,
}

impl Junit {
    /// Takes the next event of a run.
    pub fn take(&mut self, event: &Event) {
        let text = self.human.take(event);
        let Event::Scenario {
            scenario,
            verdict,
            ms,
            ..
        } = event
        else {
            return;
        };
        let folder = scenario.rsplit_once('/');
        let folder = folder.map_or("scenarios", |(folder, _)| folder);
        let is_red = matches!(verdict, Verdict::Fail | Verdict::Xpass);
        let mut status = status(*verdict, is_red);
        if *verdict != Verdict::Pass {
            // The first line says the verdict and the name. Colours are no text of XML, and left out.
            let (_, told) = text.split_once('\n').unwrap_or_default();
            status.set_message(verdict.word()).set_description(told);
        }
        let mut case = TestCase::new(scenario.as_str(), status);
        case.set_time(Duration::from_secs_f64((ms / 1e3).max(0.0)));
        match self.suites.iter_mut().find(|(of, _)| of == folder) {
            Some((_, cases)) => cases.push(case),
            None => self.suites.push((folder.to_owned(), vec![case])),
        }
    }

    /// Writes all that was taken: a suite for each folder, a case for each scenario.
    pub fn report(&self) -> String {
        let mut report = Report::new("netproof run");
        for (folder, cases) in &self.suites {
            let mut suite = TestSuite::new(folder.as_str());
            suite.add_test_cases(cases.iter().cloned());
            report.add_test_suite(suite);
        }
        report.to_string().unwrap_or_default()
    }
}

/// The status of a case: what neither passes nor counts as a failure was skipped.
pub(super) fn status(verdict: Verdict, is_red: bool) -> TestCaseStatus {
    match verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ if is_red => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::skipped(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn judged(scenario: &str, verdict: Verdict) -> Event {
        Event::Scenario {
            scenario: scenario.to_owned(),
            verdict,
            deviation: None,
            link: None,
            ms: 1500.0,
        }
    }

    #[rstest]
    #[case::pass(Verdict::Pass, "errors=\"0\" failures=\"0\"", ">\n        </testcase>")]
    #[case::fail(
        Verdict::Fail,
        "errors=\"0\" failures=\"1\"",
        "<failure message=\"fail\""
    )]
    #[case::passes_again(Verdict::Xpass, "failures=\"1\"", "<failure message=\"xpass\"")]
    #[case::error(
        Verdict::Error,
        "errors=\"1\" failures=\"0\"",
        "<error message=\"error\""
    )]
    #[case::known(Verdict::Xfail, "failures=\"0\"", "<skipped message=\"xfail\"")]
    #[case::no_means(
        Verdict::Unsupported,
        "failures=\"0\"",
        "<skipped message=\"unsupported\""
    )]
    fn each_verdict_has_its_status(
        #[case] verdict: Verdict,
        #[case] counted: &str,
        #[case] element: &str,
    ) {
        let mut junit = Junit::default();
        junit.take(&judged("tutorials/x", verdict));
        let report = junit.report();
        let case = "<testcase name=\"tutorials/x\" time=\"1.500\"";
        for part in [counted, element, case, "<testsuite name=\"tutorials\""] {
            assert!(report.contains(part), "{part}: {report}");
        }
    }

    #[test]
    fn what_a_person_is_told_stands_in_the_case_without_colours() {
        let mut junit = Junit::default();
        junit.take(&Event::Operation {
            scenario: "x".to_owned(),
            step: 1,
            command: "ip link add <a>".to_owned(),
            ran: Vec::new(),
            verdict: Verdict::Fail,
            fails: None,
            reason: Some("File exists".to_owned()),
            lacks: None,
            line: Some(3),
        });
        junit.take(&judged("x", Verdict::Fail));
        let report = junit.report();
        assert!(
            report.contains("ip link add &lt;a&gt; (line 3)"),
            "{report}"
        );
        assert!(report.contains("saw       File exists"), "{report}");
        assert!(!report.contains('\u{1b}'), "{report}");
    }
}
