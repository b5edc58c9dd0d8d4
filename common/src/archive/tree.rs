//! What an archive has made so far.

use std::collections::HashMap;

use super::error::ArchiveError;

/// The most bytes of all paths together, which are held in memory.
const MAX_NAMES: usize = 64 * 1024 * 1024;
/// What holding a path costs beside its bytes, about.
const NAME_OVERHEAD: usize = 64;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Link,
}

/// The paths made so far, folders between them included.
#[derive(Debug, Default)]
pub(super) struct Tree {
    kinds: HashMap<String, Kind>,
    bytes: usize,
}

impl Tree {
    /// Makes an entry. Its parents must be folders, and it must not be there, but for a folder.
    pub(super) fn add(&mut self, path: &str, kind: Kind) -> Result<(), ArchiveError> {
        let refuse = |reason| Err(ArchiveError::Refused { path: path.to_owned(), reason });
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            match self.kinds.get(parent) {
                Some(Kind::Folder) => {}
                Some(Kind::File) => return refuse(format!("it lies below {parent:?}, which is a file")),
                Some(Kind::Link) => return refuse(format!("it goes through the link {parent:?}")),
                None => self.insert(parent, Kind::Folder)?,
            }
        }
        match self.kinds.get(path) {
            None => self.insert(path, kind),
            Some(Kind::Folder) if kind == Kind::Folder => Ok(()),
            Some(_) => refuse("it is there twice; pack the archive anew".to_owned()),
        }
    }

    fn insert(&mut self, path: &str, kind: Kind) -> Result<(), ArchiveError> {
        self.bytes += path.len() + NAME_OVERHEAD;
        if self.bytes > MAX_NAMES {
            return Err(ArchiveError::TooLarge { what: "bytes of paths", limit: MAX_NAMES });
        }
        self.kinds.insert(path.to_owned(), kind);
        Ok(())
    }
}
