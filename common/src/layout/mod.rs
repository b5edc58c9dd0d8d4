//! The run layout: what a job leaves behind, as files.
//!
//! ```text
//! <root>/<job id>/run.json           the record
//!                 steps.jsonl        a step's result a line
//!                 logs/log.jsonl     a line of the log a line
//!                 …                  artifacts, under their own paths
//! ```
//! Older versions of the tool wrote the same layout but for `logs`, and theirs is read as well. Nothing is
//! written outside of a job's folder, nothing goes through a symbolic link below the root, and a file appears
//! under its name only when it is whole.

mod artifact;
mod error;
mod file;
mod log;
mod record;
mod run_layout;
mod steps;
mod temporary;
#[cfg(test)]
mod tests;

pub use error::LayoutError;
pub use log::LogFile;
pub use run_layout::RunLayout;
