//! `logs/log.jsonl`: the whole log, a line a line.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};

use super::error::LayoutError;
use super::file::{check_way, make_folder};
use super::run_layout::{RunLayout, blocking};
use super::temporary::Temporary;
use crate::domain::id::JobId;
use crate::domain::log::LogLine;
use crate::domain::path::LOGS_FOLDER;

/// The log's file in its folder.
const LOG_FILE: &str = "log.jsonl";
/// The longest line of the file, in bytes: a log line of which every byte is escaped fits.
const MAX_JSON_LINE: u64 = 1024 * 1024;
/// How much is read or written at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// A log that is being written. It has its name, and readers, only after [`finish`](LogFile::finish); dropped
/// before, it is removed.
#[derive(Debug)]
pub struct LogFile {
    file: BufWriter<tokio::fs::File>,
    temporary: Temporary,
    target: PathBuf,
    line: Vec<u8>,
}

impl RunLayout {
    /// Begins a job's log. When it is finished it replaces the one that is there.
    ///
    /// # Errors
    /// See [`LayoutError`].
    pub async fn log_writer(&self, job: &JobId) -> Result<LogFile, LayoutError> {
        let (layout, job) = (self.clone(), job.clone());
        let target = self.log_path(&job);
        let (temporary, file) = blocking(move || Temporary::create(&layout.make(&job)?)).await?;
        let file = BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file));
        Ok(LogFile { file, temporary, target, line: Vec::new() })
    }

    /// A job's log, if the layout has it. The stream ends with its first error.
    ///
    /// # Errors
    /// It is there and can't be opened.
    pub async fn read_log(
        &self,
        job: &JobId,
    ) -> Result<Option<BoxStream<'static, Result<LogLine, LayoutError>>>, LayoutError> {
        let (root, path) = (self.root().to_owned(), self.log_path(job));
        let opened = blocking(move || {
            check_way(&root, &path)?;
            match std::fs::File::open(&path) {
                Ok(file) => Ok(Some((file, path))),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(LayoutError::io("read", &path, e)),
            }
        });
        let Some((file, path)) = opened.await? else { return Ok(None) };
        let file = BufReader::with_capacity(BUFFER, tokio::fs::File::from_std(file));
        let lines = stream::try_unfold((file, path), |(mut file, path)| async move {
            let line = next_line(&mut file, &path).await?;
            Ok(line.map(|line| (line, (file, path))))
        });
        Ok(Some(lines.boxed()))
    }

    fn log_path(&self, job: &JobId) -> PathBuf {
        self.folder(job).join(LOGS_FOLDER).join(LOG_FILE)
    }
}

impl LogFile {
    /// Adds a line.
    ///
    /// # Errors
    /// See [`LayoutError`].
    pub async fn append(&mut self, line: &LogLine) -> Result<(), LayoutError> {
        self.line.clear();
        let written = serde_json::to_writer(&mut self.line, line);
        written.map_err(|e| LayoutError::Corrupt { path: self.target.clone(), what: e.to_string() })?;
        self.line.push(b'\n');
        self.file.write_all(&self.line).await.map_err(|e| LayoutError::io("write", &self.target, e))
    }

    /// Puts the log under its name, safe from a crash.
    ///
    /// # Errors
    /// See [`LayoutError`].
    pub async fn finish(mut self) -> Result<(), LayoutError> {
        let failed = |e| LayoutError::io("write", &self.target, e);
        self.file.flush().await.map_err(failed)?;
        self.file.get_ref().sync_all().await.map_err(failed)?;
        let Self { temporary, target, .. } = self;
        blocking(move || {
            // The temporary file lies in the job's folder, and the log one folder below.
            if let (Some(root), Some(folder)) = (temporary.path().parent(), target.parent()) {
                make_folder(root, folder)?;
            }
            temporary.place(&target)
        })
        .await
    }
}

async fn next_line(
    file: &mut BufReader<tokio::fs::File>,
    path: &Path,
) -> Result<Option<LogLine>, LayoutError> {
    let mut json = Vec::new();
    let read = (&mut *file).take(MAX_JSON_LINE).read_until(b'\n', &mut json).await;
    if read.map_err(|e| LayoutError::io("read", path, e))? == 0 {
        return Ok(None);
    }
    let line = serde_json::from_slice(&json);
    line.map(Some).map_err(|e| LayoutError::Corrupt { path: path.to_owned(), what: e.to_string() })
}
