//! Artifacts, fetched into files.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use orcaops_common::domain::path::check_artifact_path;
use orcaops_common::domain::run::ArtifactMetadata;
use reqwest::{Method, Response};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::error::ClientError;
use super::http::Client;
use super::retry::Patience;

impl Client {
    /// Fetches an artifact into `target`, which is there whole or not at all, with its permissions. Its folders
    /// are made.
    pub(crate) async fn download(
        &self,
        job: &str,
        artifact: &ArtifactMetadata,
        target: &Path,
    ) -> Result<(), ClientError> {
        Patience::short().retry(async || self.download_once(job, artifact, target).await).await
    }

    async fn download_once(
        &self,
        job: &str,
        artifact: &ArtifactMetadata,
        target: &Path,
    ) -> Result<(), ClientError> {
        let mut segments = vec!["jobs", job, "artifacts"];
        segments.extend(artifact.path.split('/'));
        let response = self.send(self.request(Method::GET, &segments)).await?;

        let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        tokio::fs::create_dir_all(folder).await.map_err(file("make the folder", folder))?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let partial = folder.join(format!(".{name}.{}.part", std::process::id()));
        let written = self.write(response, artifact, &partial).await;
        let moved = match written {
            Ok(()) => tokio::fs::rename(&partial, target).await.map_err(file("write", target)),
            Err(error) => Err(error),
        };
        if moved.is_err() {
            let _ = tokio::fs::remove_file(&partial).await;
        }
        moved
    }

    async fn write(
        &self,
        response: Response,
        artifact: &ArtifactMetadata,
        partial: &Path,
    ) -> Result<(), ClientError> {
        let mut out = tokio::fs::File::create(partial).await.map_err(file("write", partial))?;
        let mut hash = Sha256::new();
        let mut bytes = response.bytes_stream();
        while let Some(bytes) = bytes.next().await {
            let bytes = bytes.map_err(|e| ClientError::of(&self.address(), &e))?;
            hash.update(&bytes);
            out.write_all(&bytes).await.map_err(file("write", partial))?;
        }
        out.flush().await.map_err(file("write", partial))?;
        if let Some(mode) = artifact.copy_mode() {
            out.set_permissions(Permissions::from_mode(mode)).await.map_err(file("write", partial))?;
        }
        if hex::encode(hash.finalize()) == artifact.sha256 {
            Ok(())
        } else {
            Err(ClientError::Corrupt { path: artifact.path.clone() })
        }
    }
}

/// Where below `folder` an artifact of that path belongs. The path comes from a server, which is not trusted to
/// keep within the folder.
pub(crate) fn place(folder: &Path, path: &str) -> Result<PathBuf, ClientError> {
    check_artifact_path(path).map_err(|reason| ClientError::Path { path: path.to_owned(), reason })?;
    Ok(folder.join(path))
}

fn file<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> ClientError + 'a {
    move |cause| ClientError::File { what, path: path.to_owned(), cause }
}
