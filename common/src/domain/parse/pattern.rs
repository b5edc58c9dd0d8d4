//! Patterns of artifacts.

use globset::GlobBuilder;

use super::node::Node;
use super::report::Report;
use crate::domain::path::MAX_PATH;

/// The most patterns of a job.
const MAX_PATTERNS: usize = 1000;
/// Characters that a shell would act on. No pattern comes near a shell, but those who write them think so.
const FORBIDDEN: &str = ";|&$`()";
/// What a pattern that leaves files out begins with.
pub(super) const EXCEPT: char = '!';

pub(super) fn patterns(node: &Node<'_>, report: &mut Report) -> Option<Vec<String>> {
    let items = node.items(report, MAX_PATTERNS)?;
    let patterns: Vec<_> = items.iter().map(|item| pattern(item, report)).collect();
    let patterns: Vec<String> = patterns.into_iter().collect::<Option<_>>()?;
    if !patterns.is_empty() && patterns.iter().all(|pattern| pattern.starts_with(EXCEPT)) {
        return node
            .fail(report, "only leaves files out; add a pattern of files to keep, such as \"out/**\"");
    }
    Some(patterns)
}

fn pattern(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.system_string(report)?;
    let glob = text.strip_prefix(EXCEPT).unwrap_or(text);
    let problem = if glob.trim().is_empty() {
        "is blank; give a path or a pattern such as \"out/*.txt\"".to_owned()
    } else if text.len() > MAX_PATH {
        format!("has {} bytes; at most {MAX_PATH} are allowed", text.len())
    } else if let Some(bad) = text.chars().find(|c| FORBIDDEN.contains(*c)) {
        format!(
            "contains {bad:?}, which is not allowed in a pattern; use `*`, `**`, `?`, `[…]` and `{{…,…}}`"
        )
    } else if glob.contains(EXCEPT) && !glob.contains("[!") {
        "contains `!` after its beginning; it leaves files out only as the first character".to_owned()
    } else if glob.split('/').any(|component| component == "..") {
        "contains `..`; write the path without it".to_owned()
    } else if glob.contains("{/") || (glob.contains(",/") && glob.contains('{')) {
        "begins a choice in braces with `/`; write a pattern for each absolute path".to_owned()
    } else if let Err(error) = GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build() {
        format!("is not a pattern: {}", error.kind())
    } else {
        return Some(text.to_owned());
    };
    node.fail(report, problem)
}
