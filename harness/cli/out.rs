//! Printing. A reader that has gone away is no error of ours.

use std::io::Write as _;

/// Prints text on standard output; styles show only where they are wanted (`NO_COLOR`, terminal).
pub(super) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints text on standard error, with styles as [`print`].
pub(super) fn print_error(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Tells whether standard error shows styles.
pub(super) fn error_has_color() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}
