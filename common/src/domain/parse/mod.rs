//! Reads a job's specification from JSON and says everything that is wrong with it at once.
//!
//! The one place that knows the rules: API, CLI and YAML files all come through [`JobSpec::from_json`], so a
//! [`JobSpec`] that was read holds what its fields promise. Each error has the JSON pointer of its field.
//!
//! [`JobSpec`]: super::job::JobSpec
//! [`JobSpec::from_json`]: super::job::JobSpec::from_json

mod choice;
mod command;
mod error;
mod input;
pub(super) mod node;
mod pattern;
mod placement;
pub(super) mod report;
mod retry;
mod sandbox;
mod secret;
mod spec;
mod suggest;
#[cfg(test)]
mod tests;

pub use error::{FieldError, Invalid};
pub(crate) use sandbox::bytes as size_in_bytes;
pub use spec::MAX_SPEC_BYTES;
