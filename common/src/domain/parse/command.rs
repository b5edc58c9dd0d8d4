//! A step.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::node::Node;
use super::report::Report;
use super::spec::given;
use crate::domain::job::{DEFAULT_TIMEOUT_SECONDS, JobCommand};

/// How long a step may run, in seconds.
const TIMEOUT_SECONDS: RangeInclusive<u32> = 1..=86_400;
/// The most arguments of one step.
const MAX_ARGUMENTS: usize = 10_000;
/// The longest string or array that is written back as it should have been.
const MAX_EXAMPLE: usize = 100;

const FIELDS: [&str; 4] = ["command", "argv", "cwd", "timeout_seconds"];

pub(super) fn command(node: &Node<'_>, report: &mut Report) -> Option<JobCommand> {
    match node.value {
        Value::String(_) => {
            return node.fail(report, format!("is a string; write it as {}", example("command", node.value)));
        }
        Value::Array(_) => {
            return node.fail(report, format!("is an array; write it as {}", example("argv", node.value)));
        }
        _ => {}
    }
    let fields = node.fields(report, &FIELDS)?;
    let (shell, vector) = (fields.optional("command"), fields.optional("argv"));
    let choice = match (&shell, &vector) {
        (Some(_), Some(_)) => node.fail(
            report,
            "has both `command` and `argv`; keep `command` to use a shell, or `argv` to use none",
        ),
        (None, None) => node.fail(
            report,
            "has neither `command` nor `argv`; write a shell command such as {\"command\": \"echo hi\"}",
        ),
        (Some(_), None) | (None, Some(_)) => Some(()),
    };
    let shell = shell.map(|node| shell_command(&node, report));
    let argv = vector.map(|node| argv(&node, report));
    let cwd = fields.optional("cwd").map(|node| cwd(&node, report));
    let timeout = fields.with_default("timeout_seconds").map(|node| node.integer(report, TIMEOUT_SECONDS));
    choice?;
    Some(JobCommand {
        command: given(shell)?,
        argv: given(argv)?,
        cwd: given(cwd)?,
        timeout_seconds: given(timeout)?.unwrap_or(DEFAULT_TIMEOUT_SECONDS),
    })
}

/// How the value should have been written, if that is short enough.
fn example(field: &str, value: &Value) -> String {
    let written = json!({ field: value }).to_string();
    if written.len() > MAX_EXAMPLE { format!("{{\"{field}\": …}}") } else { written }
}

fn shell_command(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.system_string(report)?;
    if text.trim().is_empty() {
        return node.fail(report, "is blank; give the shell command to run");
    }
    Some(text.to_owned())
}

fn argv(node: &Node<'_>, report: &mut Report) -> Option<Vec<String>> {
    if let Value::String(_) = node.value {
        return node.fail(
            report,
            "is a string; give an array with the program and each of its arguments, or use `command`",
        );
    }
    let items = node.items(report, MAX_ARGUMENTS)?;
    if items.is_empty() {
        return node.fail(report, "is empty; give the program to run and its arguments");
    }
    let read: Vec<_> = items.iter().map(|item| item.system_string(report)).collect();
    if let (Some(Some(program)), Some(item)) = (read.first(), items.first())
        && program.trim().is_empty()
    {
        return item.fail(report, "is blank; the first argument is the program to run");
    }
    read.into_iter().map(|argument| argument.map(str::to_owned)).collect()
}

fn cwd(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let path = node.system_string(report)?;
    if path.is_empty() {
        return node.fail(report, "is empty; give a path, or leave the field out");
    }
    Some(path.to_owned())
}
