//! Printing.

use std::io::{self, Write as _};

/// Prints text on standard output; styles show only where they are wanted (`NO_COLOR`, terminal).
///
/// # Errors
///
/// The text cannot be written, as on a full disk. A reader that has gone away is no error: it has
/// what it wanted.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints text on standard error, with styles as [`print`]. There is nowhere to say that it failed.
pub(super) fn print_error(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Says that standard output cannot be written, and how the program ends then.
pub(super) fn unwritable(error: &io::Error) -> super::Exit {
    unwritable_file("standard output", error)
}

/// Says that a file cannot be written, which could be when it was opened, and how the program ends then.
pub(super) fn unwritable_file(name: &str, error: &io::Error) -> super::Exit {
    print_error(&format!("error: cannot write to {name}: {error}\n"));
    super::Exit::Machine
}

/// Tells whether standard error shows styles.
pub(super) fn error_has_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}
