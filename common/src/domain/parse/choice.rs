//! A word from a closed list.

use super::node::{Node, quote};
use super::report::Report;
use super::suggest::nearest;

/// What the word means; an error names all words, and the one that was meant if it is plain.
pub(super) fn choice<T: Copy>(node: &Node<'_>, report: &mut Report, words: &[(&str, T)]) -> Option<T> {
    let text = node.string(report)?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*meaning);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let all = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = match nearest(text, &names) {
        Some(meant) => format!("did you mean `{meant}`? It can be {all}"),
        None => format!("it can be {all}"),
    };
    node.fail(report, format!("is {}; {hint}", quote(text)))
}
