//! The specification as a whole.

use std::io;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::command::command;
use super::error::Invalid;
use super::input::inputs;
use super::node::{Node, quote};
use super::pattern::patterns;
use super::report::Report;
use super::sandbox::sandbox;
use crate::domain::id::{InvalidName, JobId, PoolName};
use crate::domain::job::{DEFAULT_TTL_SECONDS, JobCommand, JobSpec};
use crate::domain::path::MAX_PATH;

/// The longest specification, in bytes of compact JSON: it must fit into a message on the bus.
pub const MAX_SPEC_BYTES: usize = 512 * 1024;
/// The most steps of a job.
const MAX_COMMANDS: usize = 1000;
/// How long a job may live, in seconds.
const TTL_SECONDS: RangeInclusive<u32> = 10..=86_400;

const FIELDS: [&str; 8] =
    ["job_id", "sandbox", "commands", "artifacts", "ttl_seconds", "inputs", "workdir", "pool"];

impl JobSpec {
    /// Reads and checks a specification.
    ///
    /// # Errors
    /// Everything that is wrong with it, each thing with its field.
    pub fn from_json(value: &Value) -> Result<Self, Invalid> {
        let mut report = Report::default();
        let spec = read(&Node::new(value), &mut report);
        report.finish(spec)
    }
}

fn read(node: &Node<'_>, report: &mut Report) -> Option<JobSpec> {
    let size = size(node.value);
    if size > MAX_SPEC_BYTES {
        let advice = "send large inputs as an upload";
        let message = format!("has {size} bytes as JSON; at most {MAX_SPEC_BYTES} are allowed; {advice}");
        return node.fail(report, message);
    }
    let fields = node.fields(report, &FIELDS)?;

    // Everything is read before anything is given up, so that all errors are found.
    let job_id = fields.optional("job_id").map(|node| name(&node, report, "the job id ", JobId::new));
    let sandbox = fields
        .required(report, "sandbox", "name the image to run in, as in {\"image\": \"alpine:3\"}")
        .and_then(|node| sandbox(&node, report));
    let commands = fields
        .required(report, "commands", "give at least one, as in [{\"command\": \"echo hi\"}]")
        .and_then(|node| commands(&node, report));
    let artifacts = fields.with_default("artifacts").map(|node| patterns(&node, report));
    let ttl = fields.with_default("ttl_seconds").map(|node| node.integer(report, TTL_SECONDS));
    let inputs = fields.with_default("inputs").map(|node| inputs(&node, report));
    let workdir = fields.optional("workdir").map(|node| workdir(&node, report));
    let pool = fields.with_default("pool").map(|node| name(&node, report, "the pool name ", PoolName::new));

    Some(JobSpec {
        job_id: given(job_id)?,
        sandbox: sandbox?,
        commands: commands?,
        artifacts: given(artifacts)?.unwrap_or_default(),
        ttl_seconds: given(ttl)?.unwrap_or(DEFAULT_TTL_SECONDS),
        inputs: given(inputs)?.unwrap_or_default(),
        workdir: given(workdir)?,
        pool: given(pool)?.unwrap_or_default(),
    })
}

/// Turns "there or not, and readable or not" round: `None` only for what is there and can't be read.
pub(super) fn given<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    match field {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

fn commands(node: &Node<'_>, report: &mut Report) -> Option<Vec<JobCommand>> {
    let items = node.items(report, MAX_COMMANDS)?;
    if items.is_empty() {
        return node.fail(report, "is empty; give at least one command");
    }
    let commands: Vec<_> = items.iter().map(|item| command(item, report)).collect();
    commands.into_iter().collect()
}

fn name<T>(
    node: &Node<'_>,
    report: &mut Report,
    what: &str,
    new: impl Fn(String) -> Result<T, InvalidName>,
) -> Option<T> {
    match new(node.string(report)?.to_owned()) {
        Ok(name) => Some(name),
        // The field's pointer names it already.
        Err(InvalidName(problem)) => node.fail(report, problem.strip_prefix(what).unwrap_or(&problem)),
    }
}

fn workdir(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let path = node.system_string(report)?;
    if !path.starts_with('/') {
        return node
            .fail(report, format!("is {}; give an absolute path such as \"/workspace\"", quote(path)));
    }
    if path.split('/').any(|component| component == "..") {
        return node.fail(report, "contains `..`; write the path without it");
    }
    if path.len() > MAX_PATH {
        return node.fail(report, format!("has {} bytes; at most {MAX_PATH} are allowed", path.len()));
    }
    Some(path.to_owned())
}

/// The size of a value as compact JSON.
fn size(value: &Value) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Neither a JSON value nor the counter can fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}
