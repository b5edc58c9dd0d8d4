//! When a job is tried again.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::choice::choice;
use super::node::Node;
use super::report::Report;
use super::spec::given;
use crate::domain::retry::{Backoff, DEFAULT_INITIAL_SECONDS, DEFAULT_MAX_SECONDS, Retry, RetryOn};

/// How often a job may be tried.
const ATTEMPTS: RangeInclusive<u32> = 1..=20;
/// How long it may wait between two attempts, in seconds.
const PAUSE_SECONDS: RangeInclusive<u32> = 0..=3600;
/// What it may be tried again after.
const CAUSES: [(&str, RetryOn); 3] = [
    ("infrastructure", RetryOn::Infrastructure),
    ("failure", RetryOn::Failure),
    ("timeout", RetryOn::Timeout),
];

pub(super) fn retry(node: &Node<'_>, report: &mut Report) -> Option<Retry> {
    let fields = node.fields(report, &["max_attempts", "on", "backoff"])?;
    let attempts = fields.with_default("max_attempts").map(|node| node.integer(report, ATTEMPTS));
    let on = fields.with_default("on").map(|node| causes(&node, report));
    let backoff = fields.with_default("backoff").map(|node| backoff(&node, report));
    let default = Retry::default();
    Some(Retry {
        max_attempts: given(attempts)?.unwrap_or(default.max_attempts),
        on: given(on)?.unwrap_or(default.on),
        backoff: given(backoff)?.unwrap_or_default(),
    })
}

fn causes(node: &Node<'_>, report: &mut Report) -> Option<Vec<RetryOn>> {
    let items = node.items(report, CAUSES.len())?;
    if items.is_empty() {
        return node.fail(report, "is empty; to try a job once only, set `max_attempts` to 1");
    }
    let read: Vec<_> = items.iter().map(|item| choice(item, report, &CAUSES)).collect();
    let mut causes = Vec::new();
    for (cause, item) in read.into_iter().zip(&items) {
        let cause = cause?;
        if causes.contains(&cause) {
            return item.fail(report, "is there twice; name each once");
        }
        causes.push(cause);
    }
    Some(causes)
}

/// Seconds, or how they grow.
fn backoff(node: &Node<'_>, report: &mut Report) -> Option<Backoff> {
    if let Value::Number(_) = node.value {
        let initial_seconds = node.integer(report, PAUSE_SECONDS)?;
        return Some(Backoff { initial_seconds, max_seconds: DEFAULT_MAX_SECONDS.max(initial_seconds) });
    }
    let fields = node.fields(report, &["initial_seconds", "max_seconds"])?;
    let initial = fields.with_default("initial_seconds").map(|node| node.integer(report, PAUSE_SECONDS));
    let max = fields.with_default("max_seconds").map(|node| node.integer(report, PAUSE_SECONDS));
    let initial_seconds = given(initial)?.unwrap_or(DEFAULT_INITIAL_SECONDS);
    let max_seconds = given(max)?.unwrap_or(DEFAULT_MAX_SECONDS.max(initial_seconds));
    if max_seconds < initial_seconds {
        return node.fail(
            report,
            format!(
                "begins with {initial_seconds} s, more than its `max_seconds` of {max_seconds}; raise that"
            ),
        );
    }
    Some(Backoff { initial_seconds, max_seconds })
}
