//! What can go wrong in the run layout, by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

/// The run layout could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The disk, or the writer's share of it, is full.
    #[error("no space is left for {}; free some, or move the artifacts to a larger disk", path.display())]
    DiskFull {
        /// What was written.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// An artifact's path is one that no artifact may have.
    #[error("the artifact path {path:?} is refused: {reason}")]
    Refused {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
    /// A symbolic link is in the way. OrcaOps makes none, and follows none below its root.
    #[error("{} is a symbolic link; remove it", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// A file is where a folder must be, or the other way round.
    #[error("{} is not a {wanted}; remove it", path.display())]
    WrongKind {
        /// What is in the way.
        path: PathBuf,
        /// What must be there.
        wanted: &'static str,
    },
    /// Bytes are not those that were announced.
    #[error("the content of {} is not what was announced: {what}", path.display())]
    Mismatch {
        /// The artifact.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A file can't be understood.
    #[error("{} cannot be understood: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl LayoutError {
    /// An error of the system, with what was tried and with what.
    pub(crate) fn io(action: &'static str, path: &Path, cause: io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path, cause },
            _ => Self::Io { action, path, cause },
        }
    }

    /// Whether the disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }
}
