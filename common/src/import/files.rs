//! Copies a run's files from one layout into another.

use std::io;

use bytes::Bytes;
use futures_util::TryStreamExt;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use super::importer::in_words;
use crate::domain::id::AttemptId;
use crate::domain::lines::LineAssembler;
use crate::domain::log::{LogBody, LogEntry, LogStream, MAX_CHUNK};
use crate::domain::path::LOGS_FOLDER;
use crate::domain::run::{ArtifactMetadata, RunRecord};
use crate::layout::{LayoutError, RunLayout};

/// How much is read at once, in bytes.
const BUFFER: usize = 256 * 1024;
/// The attempt that the output of older versions is told to be of.
const ATTEMPT: AttemptId = AttemptId { dispatch: 1, delivery: 1 };

/// A file that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path below the job's folder.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// The way from one layout to another.
pub(super) struct Files {
    from: RunLayout,
    to: RunLayout,
    /// Both are one: files are only compared.
    is_same: bool,
}

impl Files {
    pub(super) fn new(from: RunLayout, to: RunLayout) -> Self {
        let real = |layout: &RunLayout| std::fs::canonicalize(layout.root()).ok();
        let is_same = real(&from).is_some_and(|from| real(&to) == Some(from));
        Self { from, to, is_same }
    }

    /// Copies all that fits its record: how many artifacts are in place, and what was left out.
    pub(super) async fn copy(&self, record: &RunRecord) -> Result<(usize, Vec<LeftOut>), LayoutError> {
        let mut left_out = Vec::new();
        for artifact in &record.artifacts {
            match self.artifact(record, artifact).await {
                Ok(()) => {}
                Err(full) if full.is_disk_full() => return Err(full),
                Err(error) => left_out.push(LeftOut { path: artifact.path.clone(), reason: reason(&error) }),
            }
        }
        let artifacts = record.artifacts.len() - left_out.len();
        if !self.is_same {
            match self.log(record).await {
                Ok(()) => {}
                Err(full) if full.is_disk_full() => return Err(full),
                Err(error) => left_out.push(LeftOut { path: LOGS_FOLDER.to_owned(), reason: reason(&error) }),
            }
            self.to.write_steps(&record.job_id, &record.steps).await?;
            self.to.write_record(record).await?;
        }
        Ok((artifacts, left_out))
    }

    async fn artifact(&self, record: &RunRecord, artifact: &ArtifactMetadata) -> Result<(), LayoutError> {
        let path = self.from.artifact_path(&record.job_id, &artifact.path)?;
        let failed = |e| LayoutError::io("read", &path, e);
        // A pipe would never end, nor even open.
        if !tokio::fs::metadata(&path).await.map_err(failed)?.is_file() {
            return Err(LayoutError::WrongKind { path: path.clone(), wanted: "file" });
        }
        let file = tokio::fs::File::open(&path).await.map_err(failed)?;
        if !self.is_same {
            return self.to.put_artifact(&record.job_id, artifact, file).await;
        }
        let sha256 = hash(file).await.map_err(failed)?;
        if sha256.eq_ignore_ascii_case(&artifact.sha256) {
            return Ok(());
        }
        let what = format!("its SHA-256 is {sha256} instead of {}", artifact.sha256);
        Err(LayoutError::Mismatch { path, what })
    }

    /// The log, where there is one. Older versions kept none, but each step's output.
    async fn log(&self, record: &RunRecord) -> Result<(), LayoutError> {
        let mut file = self.to.log_writer(&record.job_id).await?;
        if let Some(mut lines) = self.from.read_log(&record.job_id).await? {
            while let Some(line) = lines.try_next().await? {
                file.append(&line).await?;
            }
            return file.finish().await;
        }
        let mut assembler = LineAssembler::new();
        for (position, entry) in (1..).zip(entries(record)) {
            for line in assembler.push(position, &entry) {
                file.append(&line).await?;
            }
        }
        file.finish().await
    }
}

/// A log made of what the steps' results hold.
fn entries(record: &RunRecord) -> impl Iterator<Item = LogEntry> {
    let entry = |at, body| LogEntry { attempt: ATTEMPT, at, body };
    let steps = record.steps.iter().flat_map(move |step| {
        let outputs = [(LogStream::Stdout, &step.stdout), (LogStream::Stderr, &step.stderr)];
        outputs.into_iter().flat_map(move |(stream, text)| {
            text.as_bytes().chunks(MAX_CHUNK).map(move |data| {
                let data = Bytes::copy_from_slice(data);
                entry(step.timestamp, LogBody::Chunk { step: step.index, stream, data })
            })
        })
    });
    let end = record.finished_at.unwrap_or(record.created_at);
    steps.chain([entry(end, LogBody::End)])
}

async fn hash(mut file: tokio::fs::File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Why a file was left out; its path is said beside it.
fn reason(error: &LayoutError) -> String {
    match error {
        LayoutError::Mismatch { what, .. } | LayoutError::Corrupt { what, .. } => what.clone(),
        LayoutError::Refused { reason, .. } => format!("its path is refused: {reason}"),
        LayoutError::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
            "it is missing".to_owned()
        }
        other => in_words(other),
    }
}
