//! Logs as files: entries one after the other, each after its length. A position is where an entry ends.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt, SeekFrom};
use tokio::sync::{MappedMutexGuard, Mutex as AsyncMutex, MutexGuard, Notify};

use super::log_file::{self, LENGTH, MAX_ENTRY};
use super::log_reader::Reader;
use super::{open_folder, unusable};
use crate::bus::{BusError, LogPosition, LogWriter, log_codec};
use crate::domain::id::JobId;
use crate::domain::log::LogEntry;

/// How long logs are kept.
const RETENTION: Duration = Duration::from_secs(24 * 3600);

/// A folder of logs.
pub(super) struct Logs {
    folder: PathBuf,
    /// The logs that somebody in this process reads or writes.
    open: Mutex<HashMap<JobId, Weak<Log>>>,
}

/// A log that somebody in this process reads or writes.
pub(super) struct Log {
    pub(super) path: PathBuf,
    /// Woken when this process has written to it.
    pub(super) written: Notify,
    /// An end of an entry; what lies before need not be looked at again to find the last one.
    known: AtomicU64,
    /// The one place to write to: an attempt that was given up may still write while its successor does.
    append: AsyncMutex<Option<File>>,
}

impl Logs {
    /// Opens the folder, and removes logs to which nobody has written for a day.
    pub(super) fn open(folder: PathBuf) -> Result<Self, BusError> {
        let folder = open_folder(folder, RETENTION)?;
        Ok(Self { folder, open: Mutex::default() })
    }

    fn log(&self, job: &JobId) -> Arc<Log> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = open.get(job).and_then(Weak::upgrade) {
            return log;
        }
        open.retain(|_, log| log.strong_count() > 0);
        let log = Arc::new(Log {
            path: self.folder.join(format!("{job}.log")),
            written: Notify::new(),
            known: AtomicU64::new(0),
            append: AsyncMutex::default(),
        });
        open.insert(job.clone(), Arc::downgrade(&log));
        log
    }

    pub(super) async fn writer(&self, job: &JobId) -> Result<Box<dyn LogWriter>, BusError> {
        let log = self.log(job);
        drop(log.reach().await.map_err(|e| unusable(&log.path, e))?);
        Ok(Box::new(Writer { log }))
    }

    pub(super) fn read(
        &self,
        job: &JobId,
        after: LogPosition,
    ) -> BoxStream<'static, Result<(LogPosition, LogEntry), BusError>> {
        // `None` once it has failed.
        let reader = Some(Reader::new(self.log(job), after));
        stream::unfold(reader, |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(entry) => Some((Ok(entry), Some(reader))),
                Err(e) => Some((Err(e), None)),
            }
        })
        .boxed()
    }

    pub(super) async fn end(&self, job: &JobId) -> Result<LogPosition, BusError> {
        let log = self.log(job);
        log.end().await.map_err(|e| unusable(&log.path, e))
    }

    pub(super) async fn delete(&self, job: &JobId) -> Result<(), BusError> {
        let log = self.log(job);
        // Whoever still writes to it writes to nothing; the next writer begins anew.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
        match tokio::fs::remove_file(&log.path).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(unusable(&log.path, e)),
            _ => Ok(()),
        }
    }
}

impl Log {
    /// Where the last whole entry ends; 0 when there is no file.
    async fn end(&self) -> std::io::Result<u64> {
        let known = self.known.load(Ordering::Relaxed);
        let end = log_file::boundary(self.path.clone(), known, u64::MAX).await?;
        self.known.store(end, Ordering::Relaxed);
        Ok(end)
    }

    /// Opens it for writing, unless that is done. What a crash left half-written is cut off.
    async fn reach(&self) -> std::io::Result<MappedMutexGuard<'_, File>> {
        let mut append = self.append.lock().await;
        if append.is_none() {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(false).open(&self.path).await?;
            let end = self.end().await?;
            file.set_len(end).await?;
            file.seek(SeekFrom::Start(end)).await?;
            *append = Some(file);
        }
        MutexGuard::try_map(append, Option::as_mut).map_err(|_| std::io::Error::other("not opened"))
    }

    async fn write(&self, record: &[u8]) -> std::io::Result<()> {
        let mut file = self.reach().await?;
        let written = match file.write_all(record).await {
            Ok(()) => file.flush().await,
            failed => failed,
        };
        drop(file);
        if written.is_err() {
            // The next entry opens it again, and cuts off what this one has left half-written.
            *self.append.lock().await = None;
        }
        written
    }
}

struct Writer {
    log: Arc<Log>,
}

#[async_trait]
impl LogWriter for Writer {
    async fn append(&mut self, entry: LogEntry) -> Result<(), BusError> {
        let bytes = log_codec::encode(&entry);
        let length = match u32::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= MAX_ENTRY => length,
            _ => {
                let what = "a log entry".to_owned();
                return Err(BusError::TooLarge { what, size: bytes.len(), limit: MAX_ENTRY });
            }
        };
        let mut record = Vec::with_capacity(LENGTH + bytes.len());
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&bytes);
        self.log.write(&record).await.map_err(|e| unusable(&self.log.path, e))?;
        self.log.written.notify_waiters();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), BusError> {
        // Every entry was handed to the operating system before `append` returned.
        Ok(())
    }
}
