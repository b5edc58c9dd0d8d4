//! A job's pattern of artifacts: the folder it starts in, and the glob below that.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// The characters that make a path a glob.
const GLOB_CHARACTERS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// A pattern, taken apart.
pub(crate) struct Pattern {
    /// As the job's spec has it.
    pub(crate) text: String,
    /// The absolute path up to the first glob, or all of it.
    pub(crate) base: PathBuf,
    /// What lies below `base` and matches; everything when there is no glob.
    glob: Option<GlobMatcher>,
    /// How many folders below `base` a match can lie, and its own name; any number when absent.
    pub(crate) depth: Option<usize>,
    /// The folder that artifacts' names start from.
    root: PathBuf,
}

impl Pattern {
    /// Reads a pattern; a relative one starts at `workdir`. The error says what is wrong with it.
    pub(crate) fn parse(text: &str, workdir: &Path) -> Result<Self, String> {
        let names: Vec<&str> = text.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
        if names.contains(&"..") {
            return Err("it contains ..".to_owned());
        }
        let is_relative = !text.starts_with('/');
        let start = if is_relative { workdir } else { Path::new("/") };
        let literal = names.iter().position(|n| n.contains(GLOB_CHARACTERS)).unwrap_or(names.len());
        let (base, globs) = names.split_at(literal);
        let base = base.iter().fold(start.to_path_buf(), |path, name| path.join(name));
        let glob = if globs.is_empty() { None } else { Some(compile(&globs.join("/"))?) };
        let root = match (&glob, base.parent()) {
            _ if is_relative => workdir.to_path_buf(),
            (None, Some(parent)) => parent.to_path_buf(),
            _ => base.clone(),
        };
        let has_depth = glob.is_some() && !globs.iter().any(|n| n.contains("**"));
        Ok(Self { text: text.to_owned(), base, glob, depth: has_depth.then_some(globs.len()), root })
    }

    /// Whether a file below `base` is meant.
    pub(crate) fn matches(&self, below_base: &Path) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.is_match(below_base))
    }

    /// Whether the pattern names one path, be it a file or a folder, instead of a choice.
    pub(crate) fn is_literal(&self) -> bool {
        self.glob.is_none()
    }

    /// What a file that matches should be called: its path below the working folder, or, for an absolute
    /// pattern, below the folder where its globs start.
    pub(crate) fn name<'a>(&self, source: &'a Path) -> &'a Path {
        source.strip_prefix(&self.root).unwrap_or(source)
    }
}

fn compile(glob: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build();
    glob.map(|g| g.compile_matcher()).map_err(|e| e.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Pattern {
        Pattern::parse(text, Path::new("/work")).unwrap()
    }

    #[test]
    fn the_base_ends_where_the_globs_begin() {
        for (text, base, depth) in [
            ("out/*.txt", "/work/out", Some(1)),
            ("/tmp/x/*.log", "/tmp/x", Some(1)),
            ("./a//b/c*/d", "/work/a/b", Some(2)),
            ("**/*.xml", "/work", None),
            ("/*", "/", Some(1)),
            ("out/", "/work/out", None),
            (".", "/work", None),
        ] {
            assert_eq!((parse(text).base.to_str().unwrap(), parse(text).depth), (base, depth), "{text}");
        }
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_do_not() {
        assert!(parse("out/*.txt").matches(Path::new("a.txt")));
        assert!(!parse("out/*.txt").matches(Path::new("b/a.txt")));
        assert!(parse("out/**/*.txt").matches(Path::new("b/c/a.txt")));
        assert!(parse("out/**/*.txt").matches(Path::new("a.txt")));
        assert!(parse("out/[ab]?.txt").matches(Path::new("ax.txt")));
    }

    #[test]
    fn names_start_at_the_working_folder_or_where_absolute_globs_do() {
        for (text, source, name) in [
            ("out/*.txt", "/work/out/a.txt", "out/a.txt"),
            ("out", "/work/out/b/a.txt", "out/b/a.txt"),
            ("/tmp/x/*.log", "/tmp/x/a.log", "a.log"),
            ("/tmp/x/**", "/tmp/x/y/a.log", "y/a.log"),
            ("/tmp/app", "/tmp/app", "app"),
            ("/tmp/dist/", "/tmp/dist/b/c", "dist/b/c"),
            ("/", "/a/b", "a/b"),
        ] {
            assert_eq!(parse(text).name(Path::new(source)), Path::new(name), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_climbs_or_is_malformed_is_refused() {
        assert!(Pattern::parse("../x", Path::new("/work")).is_err());
        assert!(Pattern::parse("a[", Path::new("/work")).is_err());
    }
}
