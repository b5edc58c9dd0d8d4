//! A job's pattern of artifacts: the folder it starts in, and the glob below that; or what one leaves out.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// What a pattern that leaves files out begins with.
pub(crate) const EXCEPT: char = '!';
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
    /// Whether a folder that the glob matches is meant with all that lies below it: its last part is a name, or
    /// a `/` follows it.
    means_folders: bool,
    /// The folder that artifacts' names start from.
    root: PathBuf,
    /// The folder that no link may lead out of: the working folder, for a relative pattern.
    pub(crate) fence: Option<PathBuf>,
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
        let depth = has_depth.then_some(globs.len());
        let fence = is_relative.then(|| workdir.to_path_buf());
        let means_folders = globs.last().is_some_and(|n| text.ends_with('/') || !n.contains(GLOB_CHARACTERS));
        Ok(Self { text: text.to_owned(), base, glob, depth, means_folders, root, fence })
    }

    /// Whether a file below `base` is meant.
    pub(crate) fn matches(&self, below_base: &Path) -> bool {
        let Some(glob) = &self.glob else { return true };
        if self.means_folders { self.covers(below_base) } else { glob.is_match(below_base) }
    }

    /// Whether what is meant may lie in a folder below `base`, that many folders deep.
    pub(crate) fn enters(&self, below_base: &Path, depth: usize) -> bool {
        self.depth.is_none_or(|d| depth < d) || (self.means_folders && self.covers(below_base))
    }

    /// Whether the glob matches a path below `base`, or a folder that it lies in.
    fn covers(&self, below_base: &Path) -> bool {
        let Some(glob) = &self.glob else { return true };
        below_base.ancestors().any(|path| !path.as_os_str().is_empty() && glob.is_match(path))
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

/// What a pattern that begins with `!` leaves out: what it matches, and all that lies below a folder it matches.
pub(crate) struct Exclusion {
    pattern: Pattern,
    /// The base without links, as far as there is one.
    real_base: PathBuf,
}

impl Exclusion {
    /// Reads what follows the `!`.
    pub(crate) fn parse(text: &str, workdir: &Path) -> Result<Self, String> {
        let pattern = Pattern::parse(text, workdir)?;
        // Where one path is named and that is a link, the link is left out and not what it leads to.
        let real_base = match (pattern.base.parent(), pattern.base.file_name()) {
            (Some(parent), Some(name)) if pattern.is_literal() => real(parent).join(name),
            _ => real(&pattern.base),
        };
        Ok(Self { pattern, real_base })
    }

    /// Whether a file or folder is left out, by its real path.
    pub(crate) fn covers(&self, real: &Path) -> bool {
        real.strip_prefix(&self.real_base).is_ok_and(|below| self.pattern.covers(below))
    }
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (std::fs::canonicalize(path), path.parent(), path.file_name()) {
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (real, ..) => real.unwrap_or_else(|_| path.to_owned()),
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
    fn a_name_or_a_slash_after_a_glob_means_folders_too() {
        for text in ["*/reports", "*/rep*/", "**/reports"] {
            let pattern = parse(text);
            assert!(pattern.matches(Path::new("a/reports/b/c.xml")), "{text}");
            assert!(pattern.enters(Path::new("a/reports/b"), 3), "{text}");
            assert!(!pattern.matches(Path::new("a/other/c.xml")), "{text}");
        }
        assert!(!parse("*/reports").enters(Path::new("a/other"), 2));
        assert!(!parse("*/rep*").matches(Path::new("a/reports/c.xml")));
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
    fn braces_are_choices_also_across_folders() {
        for (text, yes, no) in [
            ("{a,b}.txt", "b.txt", "c.txt"),
            ("{out/a,tmp/b/c}/*.txt", "tmp/b/c/x.txt", "tmp/b/x.txt"),
            ("{a/**,b}/x", "a/1/2/x", "b/1/x"),
            ("x.{t{xt,sv},log}", "x.tsv", "x.t"),
            (r"\{a,b\}", "{a,b}", "a"),
            ("[!a-c]*", "d1", "a1"),
        ] {
            let pattern = parse(text);
            assert!(pattern.matches(Path::new(yes)), "{text} means {yes}");
            assert!(!pattern.matches(Path::new(no)), "{text} does not mean {no}");
            let folders = Path::new(yes).iter().count();
            assert!(pattern.depth.is_none_or(|depth| depth >= folders), "{text} is looked for deep enough");
        }
    }

    #[test]
    fn an_exclusion_covers_what_it_matches_and_all_below() {
        let covers = |text: &str, path: &str| {
            Exclusion::parse(text, Path::new("/work")).unwrap().covers(Path::new(path))
        };
        assert!(covers("out/*.tmp", "/work/out/a.tmp") && covers("out/*.tmp", "/work/out/a.tmp/b"));
        assert!(covers("out", "/work/out") && covers("out/", "/work/out/a/b"));
        assert!(covers("**/cache", "/work/a/cache/b") && covers("/x/*", "/x/a/b"));
        assert!(!covers("out", "/work/outside") && !covers("*.tmp", "/work/a/b.tmp"));
    }

    #[test]
    fn a_pattern_that_climbs_or_is_malformed_is_refused() {
        assert!(Pattern::parse("../x", Path::new("/work")).is_err());
        assert!(Pattern::parse("a[", Path::new("/work")).is_err());
    }
}
