//! Patterns of artifacts.

use globset::GlobBuilder;

use super::node::Node;
use super::report::Report;
use crate::domain::path::MAX_PATH;

/// The most patterns of a job.
const MAX_PATTERNS: usize = 1000;
/// Characters that a shell would act on. No pattern comes near a shell, but those who write them think so.
const FORBIDDEN: &str = ";|&$`(){}!";

pub(super) fn patterns(node: &Node<'_>, report: &mut Report) -> Option<Vec<String>> {
    let items = node.items(report, MAX_PATTERNS)?;
    let patterns: Vec<_> = items.iter().map(|item| pattern(item, report)).collect();
    patterns.into_iter().collect()
}

fn pattern(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.system_string(report)?;
    let problem = if text.trim().is_empty() {
        "is blank; give a path or a pattern such as \"out/*.txt\"".to_owned()
    } else if text.len() > MAX_PATH {
        format!("has {} bytes; at most {MAX_PATH} are allowed", text.len())
    } else if let Some(bad) = text.chars().find(|c| FORBIDDEN.contains(*c)) {
        format!("contains {bad:?}, which is not allowed in a pattern; use `*`, `?` and `[…]`")
    } else if text.split('/').any(|component| component == "..") {
        "contains `..`; write the path without it".to_owned()
    } else if let Err(error) = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build() {
        format!("is not a pattern: {}", error.kind())
    } else {
        return Some(text.to_owned());
    };
    node.fail(report, problem)
}
