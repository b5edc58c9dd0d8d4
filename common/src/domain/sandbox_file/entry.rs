//! One entry.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::path::resolve;
use super::sandbox::{DEFAULT_TIMEOUT_SECONDS, Sandbox};
use super::translate::Translation;
use crate::domain::job::JobSpec;
use crate::domain::parse::node::{Node, quote};
use crate::domain::parse::report::Report;
use crate::domain::placement::CleanupPolicy;

/// The most variables of an entry.
const MAX_VARIABLES: usize = 1000;
/// The longest name, in bytes.
const MAX_NAME: usize = 128;
/// What an entry's container is kept after when the entry does not say.
const DEFAULT_POLICY: CleanupPolicy = CleanupPolicy::RemoveOnCompletion;

const FIELDS: [&str; 9] = [
    "name",
    "image",
    "command",
    "timeout",
    "cleanup_policy",
    "ports",
    "volumes",
    "environment",
    "success_exit_codes",
];

/// The entry's name, if it has a good one: what people know it by in reports.
pub(super) fn name(node: &Node<'_>) -> Option<String> {
    let text = node.value.get("name")?.as_str()?;
    is_name(text).then(|| text.to_owned())
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._- ".contains(c);
    !text.trim().is_empty() && text.trim() == text && text.len() <= MAX_NAME && text.chars().all(plain)
}

/// Reads an entry. Everything that is wrong with it goes to `report`.
pub(super) fn read(node: &Node<'_>, folder: &Path, report: &mut Report) -> Option<Sandbox> {
    let fields = node.fields(report, &FIELDS)?;
    let name = fields.required(report, "name", "name the sandbox").and_then(|node| {
        let text = node.string(report)?;
        if is_name(text) {
            return Some(text.to_owned());
        }
        let advice =
            format!("use letters, digits, `.`, `_`, `-` and spaces between, at most {MAX_NAME} bytes");
        node.fail(report, format!("is {}; {advice}", quote(text)))
    });

    let mut job = Translation::new(&node.pointer);
    if let Some(image) = fields.required(report, "image", "name the image to run in, such as \"alpine:3\"") {
        job.set("/sandbox/image", image.value.clone());
    }
    match fields.optional("command") {
        None => job.set("/commands/0/image_command", json!(true)),
        Some(Node { value: Value::Array(argv), .. }) => job.set("/commands/0/argv", json!(argv)),
        Some(command) => {
            command.wrong_type::<()>(
                report,
                "a list of the program and its arguments, such as [\"sh\", \"-c\", \"make\"], or leave the field \
                 out to run the image's own",
            );
            job.set("/commands/0/image_command", json!(true));
        }
    }
    for (own, pointer) in [
        ("timeout", "/commands/0/timeout_seconds"),
        ("success_exit_codes", "/commands/0/success_exit_codes"),
        ("cleanup_policy", "/cleanup_policy"),
        ("ports", "/ports"),
    ] {
        if let Some(field) = fields.optional(own) {
            job.set(pointer, field.value.clone());
        }
    }
    if let Some(list) = fields.optional("environment") {
        job.set_variables(variables(&list, report));
    }
    if let Some(folders) = fields.optional("volumes") {
        volumes(&folders, folder, &mut job, report);
    }
    let has = |field| fields.optional(field).is_some();
    let (timeout, policy) = (has("timeout"), has("cleanup_policy"));
    let spec = match JobSpec::from_json(&job.spec) {
        Ok(spec) => spec,
        Err(invalid) => {
            for error in invalid.errors {
                // Reported above, as what it is called here.
                if error.pointer == "/sandbox/image" && !has("image") {
                    continue;
                }
                report.add(job.origin(&error.pointer), job.message(&error.message));
            }
            return None;
        }
    };
    let command = spec.commands.into_iter().next()?;
    Some(Sandbox {
        name: name?,
        image: spec.sandbox.image,
        command: command.argv,
        timeout: if timeout { command.timeout_seconds } else { DEFAULT_TIMEOUT_SECONDS },
        cleanup_policy: if policy { spec.cleanup_policy } else { DEFAULT_POLICY },
        ports: spec.ports,
        volumes: spec.volumes,
        environment: spec.sandbox.env,
        success_exit_codes: command.success_exit_codes,
    })
}

/// Name, value and place of each variable.
fn variables(node: &Node<'_>, report: &mut Report) -> Vec<(String, String, String)> {
    if let Value::Object(_) = node.value {
        node.fail::<()>(report, "is an object; give a list such as [\"CI=1\", \"LANG=C\"]");
        return Vec::new();
    }
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let mut variables = Vec::new();
    for item in node.items(report, MAX_VARIABLES).unwrap_or_default() {
        let Some(text) = item.string(report) else { continue };
        let Some((name, value)) = text.split_once('=') else {
            item.fail::<()>(report, format!("is {}; write a variable as `NAME=VALUE`", quote(text)));
            continue;
        };
        if let Some(first) = places.get(name) {
            item.fail::<()>(
                report,
                format!("sets {name} again, which {first} does already; keep one of them"),
            );
            continue;
        }
        places.insert(name.to_owned(), item.pointer.clone());
        variables.push((name.to_owned(), value.to_owned(), item.pointer));
    }
    variables
}

/// `{host: {bind, mode}}`, as a job's list.
fn volumes(node: &Node<'_>, folder: &Path, job: &mut Translation, report: &mut Report) {
    let mut list = Vec::new();
    for (host, volume) in node.members(report).unwrap_or_default() {
        let Some(fields) = volume.fields(report, &["bind", "mode"]) else { continue };
        let bind = fields.required(report, "bind", "give the absolute path in the container");
        let mode = match fields.optional("mode") {
            None => Some(false),
            Some(mode) => match mode.string(report) {
                Some("rw") => Some(false),
                Some("ro") => Some(true),
                Some(other) => mode.fail(report, format!("is {}; it can be `rw` or `ro`", quote(other))),
                None => None,
            },
        };
        let source = match resolve(folder, host) {
            Ok(source) => Some(source),
            Err(reason) => volume.fail(report, reason),
        };
        if let (Some(bind), Some(read_only), Some(source)) = (bind, mode, source) {
            list.push(json!({ "source": source, "target": bind.value, "read_only": read_only }));
            job.folders.push(volume.pointer.clone());
        }
    }
    job.set("/volumes", Value::Array(list));
}
