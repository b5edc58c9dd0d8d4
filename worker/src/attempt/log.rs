//! Carries a job's output to its log while it is produced.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use orcaops_common::bus::{Bus, BusError, LogWriter};
use orcaops_common::domain::control::RunningAttempt;
use orcaops_common::domain::log::{LogBody, LogEntry, LogStream, MAX_CHUNK};
use orcaops_common::domain::mask::Secrets;
use orcaops_init::message::{Output, Stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::masks::{Masks, Shown};

/// How many pieces of output may wait for the bus; with none left the job itself has to wait.
const QUEUE: usize = 32;
/// How long the rest of a log may take to be stored after the attempt's end.
const END_PATIENCE: Duration = Duration::from_secs(15);

struct Piece {
    at: DateTime<Utc>,
    step: Option<u32>,
    stream: LogStream,
    data: Bytes,
}

/// The log of one attempt. No secret of the job gets into it.
pub(crate) struct JobLog {
    pub(crate) masks: Masks,
    /// The step that runs.
    step: Option<u32>,
    pieces: mpsc::Sender<Piece>,
    writer: AbortOnDropHandle<()>,
    taken: u64,
    omitted: u64,
    limit: u64,
}

impl JobLog {
    /// Opens the log; at most `limit` bytes of output are kept.
    pub(crate) fn open(
        bus: Arc<dyn Bus>,
        attempt: RunningAttempt,
        limit: u64,
        secrets: Arc<Secrets>,
    ) -> Self {
        let (pieces, receiver) = mpsc::channel(QUEUE);
        let writer = AbortOnDropHandle::new(tokio::spawn(write(bus, attempt, receiver)));
        Self { masks: Masks::new(secrets), step: None, pieces, writer, taken: 0, omitted: 0, limit }
    }

    /// A step begins.
    pub(crate) fn begin_step(&mut self, index: u32) {
        self.step = Some(index);
    }

    /// The step that runs has ended; gives what was held back of it, which is not in the log yet.
    pub(crate) fn end_step(&mut self) -> Vec<Shown> {
        self.step.take().map_or_else(Vec::new, |index| self.masks.finish_step(index))
    }

    /// What can be shown of a piece of output as init sent it. It is not in the log yet.
    ///
    /// Init is not trusted: a step that does not run has no output, and each would cost all readers memory.
    pub(crate) fn mask(&mut self, piece: Output) -> Shown {
        let stream = match piece.stream {
            Stream::Stdout => LogStream::Stdout,
            Stream::Stderr => LogStream::Stderr,
        };
        let step = piece.step.filter(|_| piece.step == self.step);
        let data = self.masks.push(step, stream, Bytes::from(piece.data));
        Shown { step, stream, data }
    }

    /// Adds a piece of output as init sent it.
    pub(crate) async fn piece(&mut self, piece: Output) {
        let shown = self.mask(piece);
        self.output(shown).await;
    }

    /// Adds output that was masked.
    pub(crate) async fn output(&mut self, shown: Shown) {
        let Shown { step, stream, mut data } = shown;
        let room = usize::try_from(self.limit.saturating_sub(self.taken)).unwrap_or(usize::MAX);
        if data.len() > room {
            let first = self.omitted == 0;
            self.omitted += (data.len() - room) as u64;
            data.truncate(room);
            self.put(step, stream, data).await;
            if first {
                self.system(format!("the log is cut here: it is limited to {} bytes", self.limit)).await;
            }
        } else {
            self.put(step, stream, data).await;
        }
    }

    /// Adds what was held back; nothing more comes from the job.
    pub(crate) async fn settle(&mut self) {
        for shown in self.masks.finish_all() {
            self.output(shown).await;
        }
    }

    /// What the record should say of the log, if it is not whole.
    pub(crate) fn note(&self) -> Option<String> {
        let Self { omitted, limit, .. } = self;
        (*omitted > 0).then(|| {
            format!("the log is cut: it is limited to {limit} bytes, and {omitted} more were not kept")
        })
    }

    async fn put(&mut self, step: Option<u32>, stream: LogStream, mut data: Bytes) {
        self.taken += data.len() as u64;
        while !data.is_empty() {
            // Bytes that were held back may have come to more than fits into a chunk.
            let data = data.split_to(data.len().min(MAX_CHUNK));
            // Fails only when the writer has ended, which it does after this.
            let _ = self.pieces.send(Piece { at: Utc::now(), step, stream, data }).await;
        }
    }

    /// Adds a line of OrcaOps' own.
    pub(crate) async fn system(&self, line: impl Into<String>) {
        let mut line = self.masks.words(line.into());
        line.push('\n');
        for piece in line.as_bytes().chunks(MAX_CHUNK) {
            let data = Bytes::copy_from_slice(piece);
            let _ =
                self.pieces.send(Piece { at: Utc::now(), step: None, stream: LogStream::System, data }).await;
        }
    }

    /// Ends the log; returns once it is stored, or patience is over.
    pub(crate) async fn end(self) {
        if self.omitted > 0 {
            self.system(format!("{} more bytes of output were not kept", self.omitted)).await;
        }
        let Self { pieces, writer, .. } = self;
        drop(pieces);
        if tokio::time::timeout(END_PATIENCE, writer).await.is_err() {
            tracing::warn!("the end of a log could not be stored");
        }
    }
}

/// Stores pieces as they come, small ones together. What the bus does not take is lost, and said to be: a log
/// must never hold up its job for long.
async fn write(bus: Arc<dyn Bus>, attempt: RunningAttempt, mut pieces: mpsc::Receiver<Piece>) {
    let mut log = Stored { bus, attempt, writer: None, lost: 0 };
    let mut next = pieces.recv().await;
    while let Some(piece) = next.take() {
        let Piece { at, step, stream, data } = piece;
        let mut chunk = BytesMut::from(data);
        while let Ok(more) = pieces.try_recv() {
            if more.step == step && more.stream == stream && chunk.len() + more.data.len() <= MAX_CHUNK {
                chunk.extend_from_slice(&more.data);
            } else {
                next = Some(more);
                break;
            }
        }
        log.append(at, LogBody::Chunk { step, stream, data: chunk.freeze() }).await;
        if next.is_none() {
            next = pieces.recv().await;
        }
    }
    log.append(Utc::now(), LogBody::End).await;
    log.flush().await;
}

struct Stored {
    bus: Arc<dyn Bus>,
    attempt: RunningAttempt,
    writer: Option<Box<dyn LogWriter>>,
    lost: u64,
}

impl Stored {
    async fn append(&mut self, at: DateTime<Utc>, body: LogBody) {
        let size = match &body {
            LogBody::Chunk { data, .. } => data.len() as u64,
            LogBody::End => 0,
        };
        match self.try_append(at, body).await {
            Ok(()) => {}
            Err(e) => {
                if self.lost == 0 {
                    tracing::warn!(error = %e, job.id = %self.attempt.job_id, "the bus does not take a job's log");
                }
                self.lost += size;
                self.writer = None;
            }
        }
    }

    async fn try_append(&mut self, at: DateTime<Utc>, body: LogBody) -> Result<(), BusError> {
        let attempt = self.attempt.attempt;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(self.bus.log_writer(&self.attempt.job_id).await?),
        };
        if self.lost > 0 {
            let words = format!("{} bytes of output are missing here: the bus was away\n", self.lost);
            let data = Bytes::from(words);
            let body = LogBody::Chunk { step: None, stream: LogStream::System, data };
            writer.append(LogEntry { attempt, at, body }).await?;
            self.lost = 0;
        }
        writer.append(LogEntry { attempt, at, body }).await
    }

    async fn flush(&mut self) {
        if let Some(writer) = &mut self.writer
            && let Err(e) = writer.flush().await
        {
            tracing::warn!(error = %e, job.id = %self.attempt.job_id, "the end of a log could not be stored");
        }
    }
}
