//! The report on an adapter that was tried.

use super::human::{style, styled};
use crate::run::Event;

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
