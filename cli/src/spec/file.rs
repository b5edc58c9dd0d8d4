//! A job spec in a file.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::error::SpecError;

/// Reads YAML or JSON, which is YAML too. `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Value, SpecError> {
    let unreadable = |cause| SpecError::Unreadable { path: path.to_owned(), cause };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    serde_yaml::from_str(&text.map_err(unreadable)?)
        .map_err(|cause| SpecError::Malformed { path: path.to_owned(), cause })
}
