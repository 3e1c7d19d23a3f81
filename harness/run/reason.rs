//! Why a scenario did not come out as it should, in the words of a single event.

use super::event::Event;
use crate::judge::Verdict;

/// Returns what an event says against the scenario; nothing where it says nothing.
pub(super) fn reason(event: &Event) -> Option<String> {
    match event {
        Event::Operation {
            command,
            verdict,
            reason,
            fails,
            ..
        } if *verdict != Verdict::Pass => {
            let reason = reason.as_deref().unwrap_or(match fails {
                Some(_) => "it was not refused",
                None => "it was not done",
            });
            Some(format!("{command}: {reason}"))
        }
        Event::Command {
            command,
            verdict,
            ended,
            ..
        } if *verdict != Verdict::Pass => Some(format!("{command}: {ended}")),
        Event::Expectation {
            probe,
            verdict,
            mismatches,
            observed,
            ..
        } if *verdict != Verdict::Pass => {
            let differs = mismatches.first().map_or_else(String::new, |it| {
                format!(" (expected {}: {})", it.what, it.expected)
            });
            Some(format!("{probe}: {observed}{differs}"))
        }
        Event::Snapshot { name, verdict, .. } if *verdict != Verdict::Pass => {
            Some(format!("the snapshot {name} differs"))
        }
        Event::Left {
            verdict,
            left,
            lost,
            ..
        } if *verdict != Verdict::Pass => {
            let what = [("left behind", left), ("taken away", lost)];
            let what = what.into_iter().filter(|(_, lines)| !lines.is_empty());
            let what: Vec<String> = what
                .map(|(what, lines)| format!("{what}: {}", lines.join("; ")))
                .collect();
            Some(what.join("; "))
        }
        Event::Escaped { files, workdir, .. } => Some(format!(
            "written outside of {workdir}: {}",
            files.join(", ")
        )),
        Event::Failure { message, .. } => Some(message.clone()),
        _ => None,
    }
}
