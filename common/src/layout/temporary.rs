//! Files that get their name only when they are whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::LayoutError;
use super::file::{check_target, sync_folder};
use crate::domain::path::TEMPORARY_PREFIX;

/// A file on its way to its name. Dropped before, it is removed.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    placed: bool,
}

impl Temporary {
    /// Makes an empty file in a job's folder, which must exist, under a name that nothing else has.
    pub(super) fn create(folder: &Path) -> Result<(Self, File), LayoutError> {
        let path = folder.join(format!("{TEMPORARY_PREFIX}{}", uuid::Uuid::new_v4().simple()));
        let file = File::create_new(&path).map_err(|e| LayoutError::io("create", &path, e))?;
        Ok((Self { path, placed: false }, file))
    }

    /// Where it is until then.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, in a folder of the same file system, replacing a file that has it. The
    /// content must be on disk already.
    pub(super) fn place(mut self, target: &Path) -> Result<(), LayoutError> {
        check_target(target)?;
        fs::rename(&self.path, target).map_err(|e| LayoutError::io("write", target, e))?;
        self.placed = true;
        target.parent().map_or(Ok(()), sync_folder)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed
            && let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished file is left behind");
        }
    }
}
