//! What is wrong with a specification.

use std::fmt;

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty for the whole document.
    pub pointer: String,
    /// What is wrong with it and how to mend it, as what follows the field's name: `is blank; …`.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.pointer.is_empty() { "the job" } else { &self.pointer };
        write!(f, "{field} {}", self.message)
    }
}

/// Everything that is wrong with a specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// At least one error, in the order of the document's rules.
    pub errors: Vec<FieldError>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            1 => f.write_str("1 field is invalid: ")?,
            n => write!(f, "{n} fields are invalid: ")?,
        }
        for (n, error) in self.errors.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
