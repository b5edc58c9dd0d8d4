//! Takes uploads: to a temporary file first, checked, then to the bus under the hash of their bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{Stream, StreamExt};
use orcaops_common::archive::{self, Entry};
use orcaops_common::bus::{Bus, BusError};
use orcaops_common::domain::message::upload_object;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::problem::{Kind, Problem};

/// The folder of uploads under way, in the artifacts' folder. No job id starts with a dot.
const FOLDER: &str = ".uploads";
/// How many uploads are taken at once; more wait.
const AT_ONCE: usize = 8;
/// After how long a file that a killed process left behind is removed.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes uploads.
#[derive(Clone)]
pub(crate) struct Uploads {
    folder: PathBuf,
    limit: u64,
    bus: Arc<dyn Bus>,
    permits: Arc<Semaphore>,
}

/// An upload that is on the bus.
pub(crate) struct Upload {
    /// Its name there.
    pub(crate) object: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its SHA-256, in hex.
    pub(crate) sha256: String,
    /// Whether it was not there before.
    pub(crate) new: bool,
}

impl Uploads {
    /// Prepares the folder, and removes what killed processes left there.
    pub(crate) async fn open(artifacts: &Path, limit: u64, bus: Arc<dyn Bus>) -> io::Result<Self> {
        let folder = artifacts.join(FOLDER);
        tokio::fs::create_dir_all(&folder).await?;
        let mut files = tokio::fs::read_dir(&folder).await?;
        while let Some(file) = files.next_entry().await? {
            let modified =
                file.metadata().await.and_then(|m| m.modified()).unwrap_or_else(|_| SystemTime::now());
            if modified.elapsed().is_ok_and(|age| age > LEFT_BEHIND) {
                let _ = tokio::fs::remove_file(file.path()).await;
            }
        }
        Ok(Self { folder, limit, bus, permits: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Takes a tar.
    pub(crate) async fn take<B: AsRef<[u8]>>(
        &self,
        announced: Option<u64>,
        body: impl Stream<Item = io::Result<B>>,
    ) -> Result<Upload, Problem> {
        let _permit = self.permits.acquire().await;
        let (file, size, sha256) = self.receive(announced, body).await?;
        let (file, _) = checked(file, None).await?;
        self.put(file, size, sha256).await
    }

    /// Takes a tar that must have a file of that path; `None` when it has none.
    pub(crate) async fn take_with<B: AsRef<[u8]>>(
        &self,
        path: &str,
        announced: Option<u64>,
        body: impl Stream<Item = io::Result<B>>,
    ) -> Result<Option<Upload>, Problem> {
        let _permit = self.permits.acquire().await;
        let (file, size, sha256) = self.receive(announced, body).await?;
        let (file, found) = checked(file, Some(path.to_owned())).await?;
        if found { self.put(file, size, sha256).await.map(Some) } else { Ok(None) }
    }

    async fn receive<B: AsRef<[u8]>>(
        &self,
        announced: Option<u64>,
        body: impl Stream<Item = io::Result<B>>,
    ) -> Result<(NamedTempFile, u64, String), Problem> {
        if announced.is_some_and(|size| size > self.limit) {
            return Err(self.too_large());
        }
        let file = NamedTempFile::new_in(&self.folder).map_err(|e| storage("storing the upload", &e))?;
        let (size, sha256) = self.write(&file, body).await?;
        Ok((file, size, sha256))
    }

    async fn put(&self, file: NamedTempFile, size: u64, sha256: String) -> Result<Upload, Problem> {
        let object = upload_object(&sha256);
        let new = match self.bus.object_info(&object).await {
            Ok(info) if info.size == size && info.sha256 == sha256 => false,
            Ok(_) | Err(BusError::NotFound { .. }) => {
                let content = tokio::fs::File::open(file.path()).await;
                let content = content.map_err(|e| Problem::internal("reading the upload back", &e))?;
                self.bus.put_object(&object, Box::pin(content)).await?;
                true
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Upload { object, size, sha256, new })
    }

    async fn write<B: AsRef<[u8]>>(
        &self,
        file: &NamedTempFile,
        body: impl Stream<Item = io::Result<B>>,
    ) -> Result<(u64, String), Problem> {
        let failed = |e: io::Error| storage("storing the upload", &e);
        let mut file = tokio::fs::File::from_std(file.reopen().map_err(failed)?);
        let (mut size, mut hash) = (0_u64, Sha256::new());
        tokio::pin!(body);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| Problem::new(Kind::MalformedRequest, "the upload broke off"))?;
            let chunk = chunk.as_ref();
            size += chunk.len() as u64;
            if size > self.limit {
                return Err(self.too_large());
            }
            hash.update(chunk);
            file.write_all(chunk).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        Ok((size, hex::encode(hash.finalize())))
    }

    fn too_large(&self) -> Problem {
        let detail =
            format!("an upload may have at most {} bytes; leave out what the job needs not", self.limit);
        Problem::new(Kind::PayloadTooLarge, detail)
    }
}

/// Checks a tar, and whether it has a file of that path, if one is wanted.
async fn checked(file: NamedTempFile, wanted: Option<String>) -> Result<(NamedTempFile, bool), Problem> {
    let check = tokio::task::spawn_blocking(move || {
        let reader = io::BufReader::new(std::fs::File::open(file.path())?);
        let mut found = false;
        let walked = archive::for_each(reader, |entry| {
            // Where a link leads, its reader will see.
            if let Entry::File { path, .. } | Entry::Symlink { path, .. } = &entry {
                found |= wanted.as_ref() == Some(path);
            }
            Ok(())
        });
        Ok::<_, io::Error>(walked.map(|()| (file, found)))
    });
    match check.await {
        Ok(Ok(Ok(checked))) => Ok(checked),
        Ok(Ok(Err(refused))) => Err(Problem::new(Kind::InvalidArchive, crate::error::chain(&refused))),
        Ok(Err(error)) => Err(Problem::internal("reading the upload back", &error)),
        Err(error) => Err(Problem::internal("checking the upload", &error)),
    }
}

fn storage(what: &str, error: &io::Error) -> Problem {
    if error.kind() == io::ErrorKind::StorageFull {
        tracing::error!("the disk of the artifacts' folder is full");
        return Problem::new(Kind::StorageFull, "the service has no room for the upload; tell its operator");
    }
    Problem::internal(what, error)
}
