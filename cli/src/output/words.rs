//! OrcaOps' own words.

use std::error::Error;
use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::failure::{Failure, chain};

/// Says something on standard error, beside what a job prints.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(std::io::stderr().lock(), "orcaops: {text}");
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
