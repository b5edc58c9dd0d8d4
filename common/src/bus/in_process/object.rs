//! Objects as files: the bytes under a name of their own, and beside them a small file that says what they are.
//!
//! The small file is put in place last and at once, so an object is there whole or not at all.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::{open_folder, unusable};
use crate::bus::{BusError, ByteReader, ObjectInfo};

/// How much is copied at once, in bytes.
const COPY: usize = 256 * 1024;

/// How long objects are kept: uploads that no job took, and artifacts that nobody mirrored.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);

/// A folder of objects.
pub(super) struct Objects {
    folder: PathBuf,
}

/// What the small file says.
#[derive(Serialize, Deserialize)]
struct Label {
    name: String,
    /// The file that holds the bytes.
    data: String,
    size: u64,
    sha256: String,
}

impl Label {
    fn info(&self) -> ObjectInfo {
        ObjectInfo { size: self.size, sha256: self.sha256.clone() }
    }
}

impl Objects {
    /// Opens the folder, and removes objects that are older than a week.
    pub(super) fn open(folder: PathBuf) -> Result<Self, BusError> {
        Ok(Self { folder: open_folder(folder, RETENTION)? })
    }

    /// Names may hold anything; files are called by their hash.
    fn label_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.json", hex::encode(Sha256::digest(name))))
    }

    async fn label(&self, name: &str) -> Result<Label, BusError> {
        let path = self.label_path(name);
        match fs::read(&path).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| BusError::Corrupt { what: format!("object {name}: {e}") }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(BusError::no_object(name)),
            Err(e) => Err(unusable(&path, e)),
        }
    }

    pub(super) async fn put(&self, name: &str, content: ByteReader) -> Result<ObjectInfo, BusError> {
        let data = format!("{}.data", uuid::Uuid::new_v4().simple());
        let bytes = Unfinished(Some(self.folder.join(&data)));
        let (size, sha256) = copy(content, bytes.path()).await.map_err(|e| unusable(bytes.path(), e))?;
        let label = Label { name: name.to_owned(), data, size, sha256 };
        let replaced = self.label(name).await.ok();
        let draft = Unfinished(Some(self.folder.join(format!("{}.draft", uuid::Uuid::new_v4().simple()))));
        let put = async {
            fs::write(draft.path(), serde_json::to_vec(&label)?).await?;
            fs::rename(draft.path(), self.label_path(name)).await
        };
        put.await.map_err(|e| unusable(draft.path(), e))?;
        bytes.keep();
        draft.keep();
        if let Some(old) = replaced {
            let _ = fs::remove_file(self.folder.join(old.data)).await;
        }
        Ok(label.info())
    }

    pub(super) async fn get(&self, name: &str) -> Result<(ObjectInfo, ByteReader), BusError> {
        let mut label = self.label(name).await?;
        let file = loop {
            let path = self.folder.join(&label.data);
            match File::open(&path).await {
                Ok(file) => break file,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    // Replaced or deleted in between; else its bytes are lost.
                    let now = self.label(name).await?;
                    if now.data == label.data {
                        return Err(BusError::Corrupt { what: format!("object {name}: its bytes are gone") });
                    }
                    label = now;
                }
                Err(e) => return Err(unusable(&path, e)),
            }
        };
        let info = label.info();
        Ok((info, Box::pin(Verified { file, hash: Sha256::new(), expected: label.sha256, done: false })))
    }

    pub(super) async fn info(&self, name: &str) -> Result<ObjectInfo, BusError> {
        Ok(self.label(name).await?.info())
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), BusError> {
        let label = match self.label(name).await {
            Ok(label) => label,
            Err(BusError::NotFound { .. }) => return Ok(()),
            Err(e) => return Err(e),
        };
        for path in [self.label_path(name), self.folder.join(label.data)] {
            match fs::remove_file(&path).await {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(unusable(&path, e)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A file that is removed when its object does not come about, also when whoever stores it breaks off.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // One that is not there yet, or has its final name already, leaves nothing to do.
        let _ = self.0.take().map(std::fs::remove_file);
    }
}

async fn copy(mut content: ByteReader, path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::create_new(path).await?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; COPY];
    loop {
        let n = content.read(&mut buffer).await?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        size += n as u64;
        file.write_all(&buffer[..n]).await?;
    }
    file.flush().await?;
    Ok((size, hex::encode(hash.finalize())))
}

/// Reads a file and fails at its end when the bytes were not those that were stored.
struct Verified {
    file: File,
    hash: Sha256,
    expected: String,
    done: bool,
}

impl AsyncRead for Verified {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.file).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        if read.is_empty() && buf.remaining() > 0 && !self.done {
            self.done = true;
            let hash = std::mem::take(&mut self.hash);
            if hex::encode(hash.finalize()) != self.expected {
                return Poll::Ready(Err(std::io::Error::other("the stored bytes have changed")));
            }
        } else {
            self.hash.update(read);
        }
        Poll::Ready(Ok(()))
    }
}
