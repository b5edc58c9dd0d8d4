//! YAML and JSON that people write: a value, and where in the text each of its fields stands.
//!
//! YAML is read by the rules of version 1.2, whose plain words are text unless they are plainly something else:
//! `no`, `on` and `0755` are text. JSON is read as JSON; where it is YAML too, as it nearly always is, its fields
//! have positions as well.

mod build;
mod document;
mod error;
mod scalar;
#[cfg(test)]
mod tests;

pub use document::{Document, MAX_TEXT, Position};
pub use error::{Malformed, TextError};
