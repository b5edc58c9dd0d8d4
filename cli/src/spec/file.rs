//! A job spec in a file.

use std::io::Read;
use std::path::Path;

use orcaops_common::yaml::Document;

use super::error::{SpecError, located};

/// Reads YAML or JSON. `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Document, SpecError> {
    let unreadable = |cause| SpecError::Unreadable { path: path.to_owned(), cause };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    Document::parse(&text.map_err(unreadable)?).map_err(|malformed| SpecError::Malformed {
        path: path.to_owned(),
        errors: malformed
            .errors
            .into_iter()
            .map(|error| located(path, error.position, &error.pointer, &error.message))
            .collect(),
    })
}
