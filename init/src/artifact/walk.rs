//! Finding the files that a pattern means, a folder entry at a time.

use std::fs::{DirEntry, FileType, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use super::pattern::{Exclusion, Pattern};

/// Where no artifact comes from: the kernel's and the engine's folders, and init's own.
const FORBIDDEN: [&str; 4] = ["/proc", "/sys", "/dev", "/.orcaops"];

/// What a piece of the walk brought.
pub(crate) enum Found {
    /// A file that is meant: its real path, and its path as the pattern puts it.
    File { real: PathBuf, source: PathBuf },
    /// Something that is meant but can't be sent, and why.
    Unfit { source: PathBuf, reason: String },
    /// Nothing yet.
    Nothing,
    /// There is no more.
    End,
}

/// A walk below a pattern's base.
pub(crate) struct Walk {
    pattern: Pattern,
    /// The base without links. Links below it aren't followed, so what is below is real as well.
    real_base: PathBuf,
    folders: Vec<Folder>,
    first: Option<Found>,
}

struct Folder {
    below_base: PathBuf,
    entries: ReadDir,
    depth: usize,
}

impl Walk {
    /// A walk that passes over what these exclusions cover.
    pub(crate) fn new(pattern: Pattern, except: &[Exclusion]) -> Self {
        let mut walk = Self { pattern, real_base: PathBuf::new(), folders: Vec::new(), first: None };
        walk.first = walk.begin(except).unwrap_or_else(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => None,
            _ => Some(walk.unfit(Path::new(""), &e.to_string())),
        });
        walk
    }

    pub(crate) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn begin(&mut self, except: &[Exclusion]) -> io::Result<Option<Found>> {
        let base = self.pattern.base.clone();
        self.real_base = std::fs::canonicalize(&base)?;
        if is_excluded(&self.real_base, except) {
            return Ok(None);
        }
        if is_forbidden(&self.real_base) {
            return Ok(Some(self.unfit(Path::new(""), "no artifacts are taken from there")));
        }
        if let Some(fence) = &self.pattern.fence
            && !self.real_base.starts_with(std::fs::canonicalize(fence)?)
        {
            return Ok(Some(self.unfit(Path::new(""), "a symbolic link leads out of the working folder")));
        }
        let kind = std::fs::symlink_metadata(&base)?.file_type();
        // The working folder may be reached through a link; what a pattern names in it may not be one.
        let is_fence = self.pattern.fence.as_ref() == Some(&base);
        if kind.is_dir()
            || (kind.is_symlink() && self.real_base.is_dir() && (is_fence || !self.pattern.is_literal()))
        {
            return Ok(self.enter(PathBuf::new(), 0));
        }
        Ok(self.pattern.is_literal().then(|| self.judge(Path::new(""), kind)))
    }

    /// Looks at the next entry.
    pub(crate) fn advance(&mut self, except: &[Exclusion]) -> Found {
        if let Some(first) = self.first.take() {
            return first;
        }
        let Some(folder) = self.folders.last_mut() else { return Found::End };
        match folder.entries.next() {
            None => {
                self.folders.pop();
                Found::Nothing
            }
            Some(Err(e)) => {
                let folder = folder.below_base.clone();
                self.folders.pop();
                self.unfit(&folder, &e.to_string())
            }
            Some(Ok(entry)) => {
                let (below, depth) = (folder.below_base.join(entry.file_name()), folder.depth);
                self.look_at(&entry, below, depth, except)
            }
        }
    }

    fn look_at(&mut self, entry: &DirEntry, below: PathBuf, depth: usize, except: &[Exclusion]) -> Found {
        let real = self.real_base.join(&below);
        match entry.file_type() {
            _ if is_excluded(&real, except) => Found::Nothing,
            Err(e) => self.unfit(&below, &e.to_string()),
            Ok(kind) if kind.is_dir() => {
                let deeper = depth + 1;
                if self.pattern.enters(&below, deeper) && !is_forbidden(&real) {
                    return self.enter(below, deeper).unwrap_or(Found::Nothing);
                }
                Found::Nothing
            }
            Ok(kind) if self.pattern.matches(&below) => self.judge(&below, kind),
            Ok(_) => Found::Nothing,
        }
    }

    fn enter(&mut self, below_base: PathBuf, depth: usize) -> Option<Found> {
        match std::fs::read_dir(join(&self.real_base, &below_base)) {
            Ok(entries) => {
                self.folders.push(Folder { below_base, entries, depth });
                None
            }
            Err(e) => Some(self.unfit(&below_base, &e.to_string())),
        }
    }

    fn judge(&self, below: &Path, kind: FileType) -> Found {
        if kind.is_symlink() {
            return self.unfit(below, "it is a symbolic link");
        }
        if !kind.is_file() {
            return self.unfit(below, "it is not a regular file");
        }
        Found::File { real: join(&self.real_base, below), source: join(&self.pattern.base, below) }
    }

    fn unfit(&self, below: &Path, reason: &str) -> Found {
        Found::Unfit { source: join(&self.pattern.base, below), reason: reason.to_owned() }
    }
}

/// As `Path::join`, without the slash that it puts after a file when there is nothing to join.
fn join(base: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { base.to_path_buf() } else { base.join(below) }
}

fn is_excluded(real: &Path, except: &[Exclusion]) -> bool {
    except.iter().any(|exclusion| exclusion.covers(real))
}

fn is_forbidden(real: &Path) -> bool {
    FORBIDDEN.iter().any(|folder| real.starts_with(folder))
}
