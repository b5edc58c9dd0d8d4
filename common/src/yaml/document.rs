//! A text that was read: what it says, and where.

use std::collections::HashMap;

use serde_json::Value;

use super::build::{Broken, build};
use super::error::{Malformed, TextError};

/// The longest text, in bytes. What is longer was not written by hand.
pub const MAX_TEXT: usize = 4 * 1024 * 1024;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// What a text says, and where it says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    pub(super) positions: HashMap<String, Position>,
}

impl Document {
    /// Reads YAML or JSON.
    ///
    /// # Errors
    /// What is wrong with it: where its syntax breaks off, or every field that is given twice.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_TEXT {
            let message = format!("it has {} bytes; at most {MAX_TEXT} are allowed", text.len());
            return Err(Malformed {
                errors: vec![TextError { position: None, pointer: String::new(), message }],
            });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let json: Option<Value> = serde_json::from_str(text).ok();
        match (json, build(text)) {
            (None, Ok(document)) => Ok(document),
            // JSON's own rules count for JSON.
            (Some(value), Ok(document)) => Ok(Self { value, ..document }),
            // Not all JSON is YAML. Its fields just have no positions then.
            (Some(value), Err(Broken::Syntax(_))) => Ok(Self { value, positions: HashMap::new() }),
            (_, Err(Broken::Fields(errors))) => Err(Malformed { errors }),
            (None, Err(Broken::Syntax(error))) => Err(Malformed { errors: vec![error] }),
        }
    }

    /// Where the field at a JSON pointer stands: a member of an object at its name, an entry of a list at its
    /// beginning. A field that is not there stands where the nearest one does that holds it.
    #[must_use]
    pub fn position(&self, pointer: &str) -> Option<Position> {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.positions.get(pointer) {
                return Some(*position);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}
