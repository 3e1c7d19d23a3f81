//! The report on an adapter that was tried.

use super::human::{counted, style, styled};
use crate::judge::Verdict;
use crate::run::{Event, NOT_TRIED};

/// Tells whether an event is of a step that was not tried, since nothing could be asked any more.
pub fn is_not_tried(event: &Event) -> bool {
    matches!(event, Event::Tried { reason: Some(reason), .. } if reason == NOT_TRIED)
}

/// Writes how many steps in a row were not tried since nothing could be asked any more, for a person;
/// nothing where there is none.
pub fn smoke_not_tried(steps: usize) -> String {
    match steps {
        0 => String::new(),
        _ => {
            let word = styled(" SKIPPED", style(Verdict::Skipped));
            let steps = counted(steps, "step");
            format!("{word} [        ] {steps}: nothing more can be asked\n")
        }
    }
}

/// Writes one step, or the summary, as a line for a person; nothing for other events.
pub fn smoke_line(event: &Event) -> String {
    match event {
        Event::Tried {
            step,
            verdict,
            reason,
            ms,
        } => {
            let word = verdict.to_string().to_uppercase();
            let word = styled(&format!("{word:>8}"), style(*verdict));
            let reason = reason.as_ref().map(|it| format!(": {it}"));
            let (reason, seconds) = (reason.unwrap_or_default(), ms / 1e3);
            format!("{word} [{seconds:>8.3}s] {step}{reason}\n")
        }
        Event::Smoke {
            pass,
            fail,
            skipped,
            ms,
            ..
        } => {
            let (rule, steps, seconds) = ("-".repeat(12), pass + fail + skipped, ms / 1e3);
            format!(
                "{rule}\n Summary [{seconds:>8.3}s] {steps} steps: {pass} pass, {fail} fail, \
                 {skipped} skipped\n"
            )
        }
        Event::Failure { message, help, .. } => {
            let help = help.as_ref().map(|it| format!("  help: {it}\n"));
            format!("error: {message}\n{}", help.unwrap_or_default())
        }
        _ => String::new(),
    }
}
