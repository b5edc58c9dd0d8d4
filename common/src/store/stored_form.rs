//! The form in which values are stored: one that both databases can hold, and hold alike.
//!
//! Postgres' `text` and `jsonb` hold no NUL character, and SQLite holds no NaN; both count in 64 bits with a
//! sign.

use serde_json::Value;

use crate::domain::event::{MAX_NOTE, MAX_NOTES};
use crate::domain::job::JobSpec;
use crate::domain::run::{ArtifactMetadata, StepResult};

const NUL: char = '\0';
const REPLACEMENT: &str = "\u{fffd}";

/// The text without NUL characters: U+FFFD takes their place.
pub(super) fn text(text: &str) -> String {
    text.replace(NUL, REPLACEMENT)
}

/// A step's result as it is stored.
pub(super) fn step(result: &StepResult) -> StepResult {
    StepResult {
        command: text(&result.command),
        stdout: text(&result.stdout),
        stderr: text(&result.stderr),
        name: result.name.as_deref().map(text),
        duration_seconds: finite(result.duration_seconds).unwrap_or_default(),
        cpu_seconds: result.cpu_seconds.and_then(finite),
        ..result.clone()
    }
}

/// An artifact's metadata as they are stored.
pub(super) fn artifact(artifact: &ArtifactMetadata) -> ArtifactMetadata {
    ArtifactMetadata {
        name: text(&artifact.name),
        path: text(&artifact.path),
        sha256: text(&artifact.sha256),
        size_bytes: artifact.size_bytes,
        mode: artifact.mode.as_deref().map(text),
    }
}

/// Notes as they are stored: not too many, and none too long.
pub(super) fn notes(notes: &[String]) -> Vec<String> {
    let note = |note: &String| text(&note[..note.floor_char_boundary(MAX_NOTE)]);
    notes.iter().take(MAX_NOTES).map(note).collect()
}

/// A job's specification as it is stored.
pub(super) fn spec(spec: &JobSpec) -> Result<Value, serde_json::Error> {
    serde_json::to_value(spec).map(value)
}

/// Whether a stored specification is the stored form of this one.
pub(super) fn is_stored_form(stored: &JobSpec, given: &JobSpec) -> bool {
    stored == given
        || spec(given).and_then(serde_json::from_value::<JobSpec>).is_ok_and(|given| *stored == given)
}

/// A count of bytes; what is beyond the databases' range is cut to its end.
pub(super) fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn value(given: Value) -> Value {
    match given {
        Value::String(s) => Value::String(text(&s)),
        Value::Array(items) => items.into_iter().map(value).collect(),
        Value::Object(members) => members.into_iter().map(|(k, v)| (text(&k), value(v))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => given,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::JobCommand;

    #[test]
    fn a_specification_with_nul_characters_is_known_again() {
        let mut given = JobSpec::new("busybox", vec![JobCommand::shell("printf 'a\0b'")]);
        given.sandbox.env.insert("A\0".to_owned(), "\0".to_owned());
        let stored: JobSpec = serde_json::from_value(spec(&given).unwrap()).unwrap();
        assert!(is_stored_form(&stored, &given));
        assert_ne!(stored, given);
        given.ttl_seconds += 1;
        assert!(!is_stored_form(&stored, &given));
    }
}
