//! A job spec of flags, as the JSON that the API takes, so that one validation serves all.

use serde_json::{Map, Value, json};

use super::error::SpecError;
use crate::args::RunArgs;

/// The job that image and command ask for.
pub(super) fn command(args: &RunArgs) -> Value {
    let mut step = match args.command.as_slice() {
        [line] => json!({ "command": line }),
        argv => json!({ "argv": argv }),
    };
    let mut spec = json!({ "sandbox": { "image": args.image } });
    if let Some(seconds) = args.timeout {
        step["timeout_seconds"] = json!(seconds);
    } else {
        // The one step may take all the time that the job has.
        step["timeout_seconds"] = json!(orcaops_common::domain::job::DEFAULT_TTL_SECONDS);
    }
    spec["commands"] = json!([step]);
    spec
}

/// Lays the other flags over a spec. Where the spec is not what it should be, its validation will say so.
pub(super) fn lay_over(
    spec: &mut Value,
    args: &RunArgs,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(), SpecError> {
    set(spec, &["job_id"], args.id.as_ref().map(|id| json!(id)));
    set(spec, &["ttl_seconds"], args.timeout.map(|t| json!(t)));
    set(spec, &["workdir"], args.workdir.as_ref().map(|w| json!(w)));
    set(spec, &["pool"], args.pool.as_ref().map(|p| json!(p)));
    set(spec, &["retry", "max_attempts"], args.max_attempts.map(|n| json!(n)));
    set(spec, &["retry", "on"], (!args.retry_on.is_empty()).then(|| json!(args.retry_on)));
    for (flag, variables) in [("-e", &args.env), ("--secret", &args.secret)] {
        for variable in variables {
            let (name, value) = self::variable(flag, variable, &lookup)?;
            set(spec, &["sandbox", "env", &name], Some(json!(value)));
            if flag == "--secret" {
                push(spec, "secrets", json!(name));
            }
        }
    }
    for pattern in &args.artifacts {
        push(spec, "artifacts", json!(pattern));
    }
    Ok(())
}

/// Name and value of a variable as it was typed; without a value, it is taken from here.
pub(crate) fn variable(
    flag: &'static str,
    written: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(String, String), SpecError> {
    if let Some((name, value)) = written.split_once('=') {
        return Ok((name.to_owned(), value.to_owned()));
    }
    match lookup(written) {
        Some(value) => Ok((written.to_owned(), value)),
        None => Err(SpecError::NotSet { flag, name: written.to_owned() }),
    }
}

/// Adds to a list of the spec.
pub(super) fn push(spec: &mut Value, list: &str, item: Value) {
    if let Some(fields) = spec.as_object_mut()
        && let Some(items) = fields.entry(list).or_insert_with(|| json!([])).as_array_mut()
    {
        items.push(item);
    }
}

/// Sets a field of the spec, if it is to be set.
pub(super) fn set(spec: &mut Value, path: &[&str], to: Option<Value>) {
    let (Some(to), Some((last, folders))) = (to, path.split_last()) else { return };
    let mut at = spec;
    for name in folders {
        let Some(fields) = at.as_object_mut() else { return };
        let inner = fields.entry(*name).or_insert(Value::Null);
        if inner.is_null() {
            *inner = Value::Object(Map::new());
        }
        at = inner;
    }
    if let Some(fields) = at.as_object_mut() {
        fields.insert((*last).to_owned(), to);
    }
}
