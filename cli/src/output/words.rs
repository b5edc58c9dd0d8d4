//! OrcaOps' own words.

use std::borrow::Cow;
use std::error::Error;
use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::failure::{Failure, chain};

/// Says something on standard error, beside what a job prints.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(std::io::stderr().lock(), "orcaops: {text}");
}

/// A text in which a job has a word, such as a file's name, made fit for a terminal: what would move the cursor or
/// change colours is written as an escape.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if is_harmful(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Says why a command failed.
pub(crate) fn error(error: &dyn Error) {
    say(&chain(error));
}

/// Prints an answer on standard output. A reader that has gone away has seen enough.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Prints an answer as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(|e| Failure::Output(e.into()))?;
    print(&format!("{json}\n"))
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(harmless("plain ü\tand\nlines"), "plain ü\tand\nlines");
        assert_eq!(harmless("a\x1b[2Jb\r\u{9b}31m\x07"), r"a\u{1b}[2Jb\r\u{9b}31m\u{7}");
    }
}
