//! Colours, where they are wanted.

use std::io::IsTerminal;

use orcaops_common::domain::run::JobStatus;

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Whether to.
    pub(crate) colours: bool,
}

impl Style {
    /// For standard output.
    pub(crate) fn stdout() -> Self {
        Self { colours: std::io::stdout().is_terminal() && wanted() }
    }

    /// For standard error.
    pub(crate) fn stderr() -> Self {
        Self { colours: std::io::stderr().is_terminal() && wanted() }
    }

    /// The name of a status.
    pub(crate) fn status(self, status: JobStatus) -> String {
        let name = status.as_str();
        if self.colours { format!("\x1b[{}m{name}\x1b[0m", code(status)) } else { name.to_owned() }
    }
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn code(status: JobStatus) -> u8 {
    match status {
        JobStatus::Queued => 90,
        JobStatus::Running => 36,
        JobStatus::Success => 32,
        JobStatus::Failed => 31,
        JobStatus::TimedOut | JobStatus::Cancelled => 33,
    }
}
