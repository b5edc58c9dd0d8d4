//! What is wrong with a text.

use std::fmt;

use super::document::Position;

/// One thing that is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// Where, if that is known.
    pub position: Option<Position>,
    /// JSON pointer to the field; empty where the text as such is wrong.
    pub pointer: String,
    /// What is wrong and how to mend it; what follows the pointer if there is one.
    pub message: String,
}

/// A text that is no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// At least one error, in the order of the text.
    pub errors: Vec<TextError>,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.errors.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            if let Some(Position { line, column }) = error.position {
                write!(f, "line {line}, column {column}: ")?;
            }
            if !error.pointer.is_empty() {
                write!(f, "{} ", error.pointer)?;
            }
            f.write_str(&error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Malformed {}
