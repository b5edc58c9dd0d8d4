//! What a `.dockerignore` leaves out, by the rules of Docker's own client.
//!
//! Other than those of a `.gitignore`, its patterns begin at the context's root; the last one that matches a path, or a
//! folder that the path lies in, decides.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

/// The file's name.
pub(super) const FILE: &str = ".dockerignore";

/// The patterns of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct DockerIgnore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    matcher: GlobMatcher,
    /// Whether it takes back what earlier ones left out.
    is_exception: bool,
}

/// A pattern is none.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of {FILE} is no pattern: {reason}")]
pub(crate) struct BadPattern {
    /// Its line, from 1.
    line: usize,
    /// Why.
    reason: String,
}

impl DockerIgnore {
    /// Reads patterns, one a line.
    pub(super) fn parse(text: &str) -> Result<Self, BadPattern> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut patterns = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (is_exception, path) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let Some(path) = cleaned(path) else { continue };
            // To Docker braces are letters like others.
            let path = path.replace('{', "\\{").replace('}', "\\}");
            let glob = GlobBuilder::new(&path).literal_separator(true).backslash_escape(true).build();
            let glob = glob.map_err(|e| BadPattern { line: number, reason: e.kind().to_string() })?;
            patterns.push(Pattern { matcher: glob.compile_matcher(), is_exception });
        }
        Ok(Self { patterns })
    }

    /// Whether a path below the context is left out.
    pub(super) fn leaves_out(&self, path: &Path) -> bool {
        let mut out = false;
        for pattern in &self.patterns {
            let changes = pattern.is_exception == out;
            if changes && path.ancestors().any(|p| !p.as_os_str().is_empty() && pattern.matcher.is_match(p)) {
                out = !pattern.is_exception;
            }
        }
        out
    }

    /// Whether nothing below a folder that is left out can be taken back.
    pub(super) fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exception)
    }
}

/// A pattern without what says nothing: leading and doubled slashes, `.`, and `..` where it can be resolved.
fn cleaned(pattern: &str) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in pattern.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_out(patterns: &str, path: &str) -> bool {
        DockerIgnore::parse(patterns).unwrap().leaves_out(Path::new(path))
    }

    #[test]
    fn patterns_begin_at_the_root_and_reach_what_lies_below() {
        for (patterns, path, expected) in [
            ("node_modules", "node_modules", true),
            ("node_modules", "node_modules/a/b.js", true),
            ("node_modules", "app/node_modules", false),
            ("**/node_modules", "app/node_modules/x", true),
            ("**/node_modules", "node_modules", true),
            ("/build/", "build/out", true),
            ("*.log", "a.log", true),
            ("*.log", "logs/a.log", false),
            ("**/*.log", "logs/a.log", true),
            ("*/temp*", "a/temp1/x", true),
            ("*/temp*", "a/b/temp1", false),
            ("temp?", "tempa", true),
            ("docs/**/*.md", "docs/a/b/c.md", true),
            ("a[0-9]", "a7", true),
            ("{a,b}", "a", false),
            ("./x/../y", "y", true),
            ("# not a pattern", "# not a pattern", false),
            (" spaced ", "spaced", true),
            ("", "a", false),
            ("*", "anything/below", true),
        ] {
            assert_eq!(leaves_out(patterns, path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let patterns = "*\n!src\n!README.md\nsrc/secret*\n";
        assert!(!leaves_out(patterns, "src/main.c"));
        assert!(!leaves_out(patterns, "README.md"));
        assert!(leaves_out(patterns, "src/secret.key"));
        assert!(leaves_out(patterns, "other"));
        assert!(leaves_out("!a\na", "a"));
    }

    #[test]
    fn a_pattern_that_is_none_is_named_by_its_line() {
        let error = DockerIgnore::parse("ok\n[a\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2 of .dockerignore is no pattern: "), "{error}");
    }
}
