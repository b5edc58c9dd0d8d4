//! Files of sandboxes, `sandboxes.yml`: jobs that are kept under a name.
//!
//! A sandbox is written in the words of older versions of the tool. Each becomes a job's specification, and what
//! holds for a job's fields holds for a sandbox's: they are checked in one place. An entry that is wrong is
//! reported and left out; the others can be used.

mod entry;
mod file;
mod path;
mod sandbox;
#[cfg(test)]
mod tests;
mod translate;

pub use file::{Problem, SandboxFile};
pub use sandbox::{DEFAULT_TIMEOUT_SECONDS, Sandbox};
