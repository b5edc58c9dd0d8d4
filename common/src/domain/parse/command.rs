//! A step.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::choice::choice;
use super::node::{Node, quote};
use super::report::Report;
use super::sandbox::env;
use super::spec::given;
use crate::domain::job::{DEFAULT_TIMEOUT_SECONDS, JobCommand, When};

/// How long a step may run, in seconds.
pub(super) const TIMEOUT_SECONDS: RangeInclusive<u32> = 1..=86_400;
/// What a step can exit with.
const EXIT_CODES: RangeInclusive<u32> = 0..=255;
/// The longest name of a step and of a user, in bytes.
const MAX_NAME: usize = 128;
/// After what a step may run.
const WHEN: [(&str, When); 3] =
    [("on_success", When::OnSuccess), ("on_failure", When::OnFailure), ("always", When::Always)];
/// The most arguments of one step.
const MAX_ARGUMENTS: usize = 10_000;
/// The longest string or array that is written back as it should have been.
const MAX_EXAMPLE: usize = 100;

const FIELDS: [&str; 11] = [
    "command",
    "argv",
    "image_command",
    "cwd",
    "timeout_seconds",
    "name",
    "env",
    "success_exit_codes",
    "continue_on_error",
    "when",
    "user",
];

/// `timeout` is that of steps which name none, if the job has one.
pub(super) fn command(node: &Node<'_>, report: &mut Report, timeout: Option<u32>) -> Option<JobCommand> {
    let default_timeout = timeout.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
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
    let image_command = fields.with_default("image_command").map(|node| node.boolean(report));
    let what = match (&shell, &vector) {
        (Some(_), Some(_)) => node.fail(
            report,
            "has both `command` and `argv`; keep `command` to use a shell, or `argv` to use none",
        ),
        (Some(_), _) | (_, Some(_)) if image_command == Some(Some(true)) => {
            node.fail(report, "has a command of its own beside `image_command`; keep one of them")
        }
        // What is there and no truth value has been reported.
        (None, None) if matches!(image_command, Some(Some(true) | None)) => Some(()),
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
    let name = fields.optional("name").map(|node| name(&node, report));
    let env = fields.with_default("env").map(|node| env(&node, report));
    let codes = fields.with_default("success_exit_codes").map(|node| exit_codes(&node, report));
    let continue_on_error = fields.with_default("continue_on_error").map(|node| node.boolean(report));
    let when = fields.with_default("when").map(|node| choice(&node, report, &WHEN));
    let user = fields.optional("user").map(|node| user(&node, report));
    what?;
    let plain = JobCommand::shell("");
    Some(JobCommand {
        command: given(shell)?,
        argv: given(argv)?,
        image_command: given(image_command)?.unwrap_or_default(),
        cwd: given(cwd)?,
        timeout_seconds: given(timeout)?.unwrap_or(default_timeout),
        name: given(name)?,
        env: given(env)?.unwrap_or_default(),
        success_exit_codes: given(codes)?.unwrap_or(plain.success_exit_codes),
        continue_on_error: given(continue_on_error)?.unwrap_or_default(),
        when: given(when)?.unwrap_or_default(),
        user: given(user)?,
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

fn name(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.system_string(report)?;
    if text.trim().is_empty() || text.len() > MAX_NAME || text.contains(char::is_control) {
        return node.fail(report, format!("is {}; give one line of 1 to {MAX_NAME} bytes", quote(text)));
    }
    Some(text.to_owned())
}

fn exit_codes(node: &Node<'_>, report: &mut Report) -> Option<Vec<u8>> {
    let items = node.items(report, 256)?;
    if items.is_empty() {
        return node.fail(report, "is empty; name the exit codes that count as success, such as [0, 5]");
    }
    let code = |item: &Node<'_>| item.integer(report, EXIT_CODES).and_then(|code| u8::try_from(code).ok());
    let codes: Vec<_> = items.iter().map(code).collect();
    codes.into_iter().collect()
}

/// A user's name or number, and perhaps a group's.
fn user(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.string(report)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && name.chars().all(plain)
    };
    let mut names = text.split(':');
    let good = names.clone().all(is_name) && names.by_ref().take(2).count() <= 2 && names.next().is_none();
    if !good || text.len() > MAX_NAME {
        let example =
            "a name or a number, and a group after `:` if wanted, such as \"nobody\" or \"1000:1000\"";
        return node.fail(report, format!("is {}; give {example}", quote(text)));
    }
    Some(text.to_owned())
}
