//! Artifacts, under their own paths.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::error::LayoutError;
use super::file::{check_way, make_folder};
use super::run_layout::{RunLayout, blocking};
use super::temporary::Temporary;
use crate::domain::id::JobId;
use crate::domain::path::check_artifact_path;
use crate::domain::run::ArtifactMetadata;

/// How much is read at once, in bytes.
const BUFFER: usize = 256 * 1024;

impl RunLayout {
    /// Where an artifact is or would be. It looks at the file system, to refuse links.
    ///
    /// # Errors
    /// No artifact may have that path, or a link is in the way.
    pub fn artifact_path(&self, job: &JobId, path: &str) -> Result<PathBuf, LayoutError> {
        check_artifact_path(path).map_err(|reason| LayoutError::Refused { path: path.to_owned(), reason })?;
        let place = self.folder(job).join(path);
        check_way(self.root(), &place)?;
        Ok(place)
    }

    /// Stores an artifact, with its permissions as [`ArtifactMetadata::copy_mode`] gives them, replacing the one that
    /// has its path. It appears only when its size and hash are those announced.
    ///
    /// # Errors
    /// See [`LayoutError`]; nothing is stored then.
    pub async fn put_artifact(
        &self,
        job: &JobId,
        artifact: &ArtifactMetadata,
        content: impl AsyncRead + Send,
    ) -> Result<(), LayoutError> {
        let (layout, id, path) = (self.clone(), job.clone(), artifact.path.clone());
        let (target, temporary, file) = blocking(move || {
            let target = layout.artifact_path(&id, &path)?;
            let (temporary, file) = Temporary::create(&layout.make(&id)?)?;
            Ok((target, temporary, file))
        })
        .await?;
        let mut file = tokio::fs::File::from_std(file);
        let failed = |e| LayoutError::io("write", &target, e);
        let mismatch = |what| Err(LayoutError::Mismatch { path: target.clone(), what });

        let (mut size, mut hash) = (0_u64, Sha256::new());
        let mut buffer = vec![0; BUFFER];
        tokio::pin!(content);
        loop {
            let read = content.read(&mut buffer).await;
            let read = read.map_err(|e| LayoutError::io("receive the content of", &target, e))?;
            if read == 0 {
                break;
            }
            size += read as u64;
            if size > artifact.size_bytes {
                return mismatch(format!("it has more than {} bytes", artifact.size_bytes));
            }
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read]).await.map_err(failed)?;
        }
        if size != artifact.size_bytes {
            return mismatch(format!("it has {size} bytes instead of {}", artifact.size_bytes));
        }
        let sha256 = hex::encode(hash.finalize());
        if !sha256.eq_ignore_ascii_case(&artifact.sha256) {
            return mismatch(format!("its SHA-256 is {sha256} instead of {}", artifact.sha256));
        }
        file.flush().await.map_err(failed)?;
        if let Some(mode) = artifact.copy_mode() {
            file.set_permissions(Permissions::from_mode(mode)).await.map_err(failed)?;
        }
        file.sync_all().await.map_err(failed)?;
        let root = self.root().to_owned();
        blocking(move || {
            if let Some(folder) = target.parent() {
                make_folder(&root, folder)?;
            }
            temporary.place(&target)
        })
        .await
    }
}
