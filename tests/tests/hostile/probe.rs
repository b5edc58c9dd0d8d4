//! A program that asks the kernel for what a job should not get.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// The probe as an input of a job, named `probe`. Compiled with the C compiler that Rust links with.
pub(crate) fn input() -> Result<Value> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/probe.c");
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("probe");
    let mut compiler = Command::new("cc");
    compiler.args([
        "-Os",
        "-s",
        "-static",
        "-nostdlib",
        "-ffreestanding",
        "-fno-builtin",
        "-fno-stack-protector",
    ]);
    compiler.args(["-Wl,-e,start", "-Wl,--build-id=none", "-o"]).arg(&program).arg(source);
    let output = compiler.output()?;
    ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    let content = BASE64_STANDARD.encode(std::fs::read(program)?);
    Ok(json!({ "path": "probe", "content": content, "encoding": "base64", "executable": true }))
}

/// The questions and answers that a step printed.
pub(crate) fn answers(record: &Value, step: usize) -> BTreeMap<&str, &str> {
    let text = record["steps"][step]["stdout"].as_str().unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(' ')).collect()
}

/// EPERM, EACCES, EROFS, and ENOSYS for what a seccomp profile hides: refusals, where other numbers only tell that a
/// question was put badly.
const REFUSALS: [&str; 4] = ["1", "13", "30", "38"];

/// All of these were asked and refused.
pub(crate) fn refused(record: &Value, step: usize, questions: &[&str]) -> Result<(), String> {
    let answers = answers(record, step);
    if answers.get("control") != Some(&"granted") {
        return Err(format!("the probe finds nothing granted: {answers:?}"));
    }
    let got: Vec<_> = questions
        .iter()
        .map(|q| (*q, answers.get(q).copied().unwrap_or("not asked")))
        .filter(|(_, answer)| !REFUSALS.contains(answer))
        .collect();
    if got.is_empty() { Ok(()) } else { Err(format!("not refused: {got:?}, of {answers:?}")) }
}
