//! Guesses what a misspelt name was meant to be.

/// The known name that is nearest to `name`, if one is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // Longer than any field: no need to measure.
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_lowercase().replace('-', "_");
    let allowed = (lower.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|candidate| (distance(&lower, candidate), *candidate))
        .filter(|(d, candidate)| *d <= allowed || is_part(&lower, candidate))
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

/// Whether one is the other's beginning or end: `timeout` for `timeout_seconds`, `cpus` for `cpu`.
fn is_part(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short.len() >= 3 && (long.starts_with(short) || long.ends_with(short))
}

/// How many characters to insert, remove, replace or swap with their neighbour to get from one to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_changes() {
        for (a, b, d) in [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("", "abc", 3)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["command", "argv", "cwd", "timeout_seconds"];
        for (slip, meant) in [
            ("comand", "command"),
            ("Command", "command"),
            ("commands", "command"),
            ("timeout", "timeout_seconds"),
            ("timeout-seconds", "timeout_seconds"),
            ("cdw", "cwd"),
        ] {
            assert_eq!(nearest(slip, &known), Some(meant), "{slip}");
        }
        for other in ["image", "x", "", "retries", &"command".repeat(20)] {
            assert_eq!(nearest(other, &known), None, "{other}");
        }
    }
}
