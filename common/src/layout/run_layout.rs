//! The layout as a whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LayoutError;
use super::file::{check_link, make_folder};
use crate::domain::id::JobId;

/// The folder that holds a folder for each job. Cheap to clone. The root itself may be reached through links.
#[derive(Debug, Clone)]
pub struct RunLayout {
    root: Arc<Path>,
}

impl RunLayout {
    /// The layout below `root`, which is made when it is needed first.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into().into() }
    }

    /// The folder that holds the jobs' folders.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A job's folder. It need not exist.
    #[must_use]
    pub fn folder(&self, job: &JobId) -> PathBuf {
        self.root.join(job.as_str())
    }

    /// Deletes everything that a job left behind. A job that left nothing is no error.
    ///
    /// # Errors
    /// The folder is a link, or the system refuses; what was deleted until then stays so.
    pub async fn delete(&self, job: &JobId) -> Result<(), LayoutError> {
        let folder = self.folder(job);
        blocking(move || {
            if check_link(&folder)?.is_none() {
                return Ok(());
            }
            match std::fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(LayoutError::io("delete", &folder, e)),
                Ok(()) | Err(_) => Ok(()),
            }
        })
        .await
    }

    /// Makes a job's folder and answers it. Blocks.
    pub(super) fn make(&self, job: &JobId) -> Result<PathBuf, LayoutError> {
        let folder = self.folder(job);
        make_folder(&self.root, &folder)?;
        Ok(folder)
    }
}

/// Runs file operations where they may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LayoutError> + Send + 'static,
) -> Result<T, LayoutError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only while the runtime shuts down.
            Err(error) => Err(LayoutError::io("finish writing", Path::new(""), io::Error::other(error))),
        },
    }
}
