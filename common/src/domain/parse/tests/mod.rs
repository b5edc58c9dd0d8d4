//! The rules of a specification, one by one and all together.

mod rules;
mod valid;
mod wishes;

use serde_json::{Value, json};

use crate::domain::job::JobSpec;
use crate::domain::parse::Invalid;

/// A valid specification, to be changed.
fn valid() -> Value {
    json!({"sandbox": {"image": "alpine:3"}, "commands": [{"command": "true"}]})
}

/// Puts `value` at `pointer`, whose last member need not exist.
fn with(pointer: &str, value: Value) -> Value {
    let mut spec = valid();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match spec.pointer_mut(parent).unwrap() {
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{parent} is {other}"),
    }
    spec
}

fn errors(spec: &Value) -> Vec<(String, String)> {
    match JobSpec::from_json(spec) {
        Ok(_) => Vec::new(),
        Err(Invalid { errors }) => errors.into_iter().map(|e| (e.pointer, e.message)).collect(),
    }
}

/// Checks that `value` at `pointer` gives exactly one error, there, with these words.
#[track_caller]
fn refused(pointer: &str, value: Value, words: &str) {
    refused_at(pointer, value, pointer, words);
}

#[track_caller]
fn refused_at(pointer: &str, value: Value, at: &str, words: &str) {
    let found = errors(&with(pointer, value.clone()));
    assert_eq!(found.len(), 1, "{pointer} = {value}: {found:?}");
    assert_eq!(found[0].0, at, "{found:?}");
    assert!(found[0].1.contains(words), "{pointer} = {value}: {:?} lacks {words:?}", found[0].1);
}

#[track_caller]
fn accepted(pointer: &str, value: Value) -> JobSpec {
    let spec = with(pointer, value);
    JobSpec::from_json(&spec).unwrap_or_else(|e| panic!("{spec}: {e}"))
}
