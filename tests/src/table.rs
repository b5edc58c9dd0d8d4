//! Tables of behaviour: a job in each row, and what must become of it.
//!
//! All rows run at once on one server, and all that differs is told, not the first difference only.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::client::Client;
use crate::docker::test_image;

/// A job, and what must become of it.
pub struct Row {
    name: &'static str,
    spec: Value,
    checks: Vec<Check>,
}

type Check = Box<dyn Fn(&Value) -> Result<(), String>>;

/// A spec of these commands in the test image, with `more` over it.
pub fn job(commands: &Value, more: &Value) -> Value {
    let mut spec = json!({ "sandbox": { "image": test_image() }, "commands": commands });
    merge(&mut spec, more);
    spec
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

impl Row {
    /// A row that expects nothing yet; its name states the rule.
    pub fn new(name: &'static str, spec: Value) -> Self {
        Self { name, spec, checks: Vec::new() }
    }

    /// Every step that ran succeeded, and so did the job.
    pub fn succeeds(self) -> Self {
        self.ends("success", "exit").field("/error", Value::Null)
    }

    /// The job's status and why.
    pub fn ends(self, status: &str, cause: &str) -> Self {
        self.field("/status", json!(status)).field("/end_cause", json!(cause))
    }

    /// The exit codes of the steps that ran.
    pub fn exits(self, codes: &[i32]) -> Self {
        let codes = codes.to_vec();
        self.check(move |record| same("exit codes", &each_step(record, "exit_code"), &json!(codes)))
    }

    /// The places in the spec of the steps that ran.
    pub fn ran(self, indexes: &[u32]) -> Self {
        let indexes = indexes.to_vec();
        self.check(move |record| same("steps that ran", &each_step(record, "index"), &json!(indexes)))
    }

    /// What each step that ran wrote to standard output.
    pub fn prints(self, outputs: &[&str]) -> Self {
        let outputs = json!(outputs);
        self.check(move |record| same("stdout", &each_step(record, "stdout"), &outputs))
    }

    /// A part of what the step that ran as number `n` wrote to standard error.
    pub fn complains(self, n: usize, part: &'static str) -> Self {
        self.check(move |record| contains(record, &format!("/steps/{n}/stderr"), part))
    }

    /// A part of the record's error.
    pub fn says(self, part: &'static str) -> Self {
        self.check(move |record| contains(record, "/error", part))
    }

    /// Parts of the record's notes, one for each and in their order.
    pub fn notes(self, parts: &[&'static str]) -> Self {
        let parts = parts.to_vec();
        self.check(move |record| {
            let notes: Vec<_> = record["notes"].as_array().into_iter().flatten().collect();
            let fits = notes.iter().zip(&parts).all(|(n, part)| n.as_str().is_some_and(|n| n.contains(part)));
            if fits && notes.len() == parts.len() {
                return Ok(());
            }
            Err(format!("notes: {notes:?}, not ones with {parts:?}"))
        })
    }

    /// The paths of its artifacts.
    pub fn keeps(self, paths: &[&str]) -> Self {
        let paths = json!(paths);
        self.check(move |record| {
            let kept = record["artifacts"].as_array().into_iter().flatten().map(|a| a["path"].clone());
            same("artifacts", &kept.collect(), &paths)
        })
    }

    /// The number of its last attempt.
    pub fn takes(self, attempts: u32) -> Self {
        self.field("/attempt", json!(attempts))
    }

    /// The value at a pointer into the record.
    pub fn field(self, pointer: &'static str, value: Value) -> Self {
        self.check(move |record| same(pointer, record.pointer(pointer).unwrap_or(&Value::Null), &value))
    }

    /// Whatever else must be true of the record; the error says what is not.
    pub fn check(mut self, check: impl Fn(&Value) -> Result<(), String> + 'static) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    async fn run(self, client: &Client) -> Outcome {
        let started = tokio::time::Instant::now();
        let faults = match client.run(&self.spec).await {
            Err(e) => vec![format!("{e:#}")],
            Ok(record) => {
                let mut faults: Vec<_> =
                    self.checks.iter().filter_map(|check| check(&record).err()).collect();
                if !faults.is_empty() {
                    faults.push(format!("{record:#}"));
                }
                faults
            }
        };
        Outcome { name: self.name, faults, took: started.elapsed() }
    }
}

struct Outcome {
    name: &'static str,
    faults: Vec<String>,
    took: Duration,
}

/// Runs all rows at once, prints how each ended, and fails with everything that differs.
pub async fn run(client: &Client, rows: Vec<Row>) -> Result<()> {
    let outcomes = join_all(rows.into_iter().map(|row| row.run(client))).await;
    let mut text = String::new();
    for outcome in &outcomes {
        let word = if outcome.faults.is_empty() { "holds" } else { "DIFFERS" };
        println!("{:6.1} s  {word:8} {}", outcome.took.as_secs_f64(), outcome.name);
        for fault in &outcome.faults {
            writeln!(text, "{}: {fault}", outcome.name)?;
        }
    }
    if text.is_empty() { Ok(()) } else { bail!(text) }
}

fn each_step(record: &Value, field: &str) -> Value {
    record["steps"].as_array().into_iter().flatten().map(|step| step[field].clone()).collect()
}

fn same(what: &str, actual: &Value, expected: &Value) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what}: {actual}, not {expected}")) }
}

fn contains(record: &Value, pointer: &str, part: &str) -> Result<(), String> {
    let text = record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text.contains(part) { Ok(()) } else { Err(format!("{pointer}: {text:?} has no {part:?}")) }
}
