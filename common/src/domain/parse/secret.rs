//! Which values are masked.

use std::collections::BTreeMap;

use super::node::{Node, quote};
use super::report::Report;
use crate::domain::job::JobCommand;

/// The most secrets of a job.
const MAX_SECRETS: usize = 100;
/// The shortest value that is masked, in bytes. A shorter one would mask what has nothing to do with it.
pub(super) const MIN_SECRET: usize = 4;

pub(super) fn secrets(node: &Node<'_>, report: &mut Report) -> Option<Vec<String>> {
    let items = node.items(report, MAX_SECRETS)?;
    let names: Vec<_> = items.iter().map(|item| item.system_string(report).map(str::to_owned)).collect();
    names.into_iter().collect()
}

/// A secret must be the name of a variable that is set, and its value long enough to be masked.
pub(super) fn check(
    report: &mut Report,
    secrets: &[String],
    env: &BTreeMap<String, String>,
    commands: &[JobCommand],
) {
    for (n, name) in secrets.iter().enumerate() {
        let values: Vec<&String> =
            env.get(name).into_iter().chain(commands.iter().filter_map(|c| c.env.get(name))).collect();
        let pointer = format!("/secrets/{n}");
        if values.is_empty() {
            report.add(
                pointer,
                format!(
                    "is {}, which no `env` sets; give the name of a variable in `sandbox.env`",
                    quote(name)
                ),
            );
        } else if values.iter().any(|value| value.len() < MIN_SECRET) {
            report.add(
                pointer,
                format!(
                    "has a value of fewer than {MIN_SECRET} bytes, too short to be masked; use a longer one"
                ),
            );
        }
    }
}
