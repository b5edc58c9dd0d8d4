//! Collects errors while a document is read.

use super::error::{FieldError, Invalid};

/// The most errors listed. More would tell nobody more.
const MAX_ERRORS: usize = 100;

/// The errors found so far.
#[derive(Default)]
pub(in crate::domain) struct Report {
    errors: Vec<FieldError>,
    left_out: usize,
}

impl Report {
    /// Notes that the field at `pointer` is wrong, and goes on.
    pub(in crate::domain) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError { pointer: pointer.into(), message: message.into() });
        } else {
            self.left_out += 1;
        }
    }

    /// The value, if it could be read and nothing was wrong.
    pub(in crate::domain) fn finish<T>(mut self, value: Option<T>) -> Result<T, Invalid> {
        if self.left_out > 0 {
            let message = format!("has {} more errors that are not listed; mend these first", self.left_out);
            self.errors.push(FieldError { pointer: String::new(), message });
        }
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            Some(_) | None => Err(Invalid { errors: self.errors }),
        }
    }
}
