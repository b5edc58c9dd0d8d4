//! Takes the files that a job leaves behind out of its container and puts them on the bus.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orcaops_common::bus::{Bus, BusError, ObjectInfo};
use orcaops_common::domain::control::RunningAttempt;
use orcaops_common::domain::event::EventBody;
use orcaops_common::domain::message::artifact_object;
use orcaops_common::domain::path::check_artifact_path;
use orcaops_common::domain::run::{ArtifactMetadata, EndCause};
use orcaops_init::message::{ArtifactBegin, ArtifactEnd, Collect, Collected, FromInit, ToInit};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;
use tokio_util::task::AbortOnDropHandle;

use super::log::JobLog;
use super::outcome::Interrupt;
use super::reporter::Reporter;
use crate::engine::{EngineError, Failure, Session, unexpected};
use crate::registry::StopSignal;

/// The most files that a job may leave behind.
const MAX_FILES: u32 = 20_000;
/// The most bytes that a job may leave behind, in all.
const MAX_BYTES: u64 = 10 * 1024 * 1024 * 1024;
/// How long init may look for files before it sends the first.
const SEARCH: Duration = Duration::from_secs(10 * 60);
/// How much a second the slowest disk that is waited for writes, in bytes. A bus may hold all of a file before it
/// puts it away.
const SLOWEST_DISK: u64 = 8 * 1024 * 1024;
/// How many pieces of a file may wait for the bus; with none left the container has to wait.
const QUEUE: usize = 16;
/// How much one event may say about artifacts, in bytes of names.
const EVENT_BYTES: usize = 256 * 1024;

/// Takes artifacts out of a container.
pub(crate) struct Collection<'a> {
    pub(crate) bus: &'a Arc<dyn Bus>,
    pub(crate) attempt: &'a RunningAttempt,
    pub(crate) session: &'a mut Session,
    pub(crate) log: &'a mut JobLog,
    pub(crate) reporter: &'a mut Reporter,
    pub(crate) stop: &'a mut StopSignal,
    /// How long an artifact on its way may stand still.
    pub(crate) stall: Duration,
    /// How many artifacts have been reported.
    pub(crate) reported: u32,
    /// What the user should know of patterns and files.
    pub(crate) notes: Vec<String>,
}

/// An artifact on its way to the bus.
struct Transfer {
    begin: ArtifactBegin,
    pieces: mpsc::Sender<io::Result<Bytes>>,
    object: AbortOnDropHandle<Result<ObjectInfo, BusError>>,
}

impl Collection<'_> {
    /// Collects all that matches `patterns`, and reports it.
    pub(crate) async fn run(&mut self, patterns: &[String]) -> Result<(), Interrupt> {
        let collect = Collect { patterns: patterns.to_vec(), max_files: MAX_FILES, max_bytes: MAX_BYTES };
        self.session.send(ToInit::Collect(collect)).await?;
        let mut artifacts = Vec::new();
        let collected = tokio::select! {
            biased;
            why = self.stop.stopped() => Err(Interrupt::Stopped(why)),
            collected = receive(self.bus, self.attempt, self.session, self.log, self.stall, &mut artifacts) => collected,
        };
        // What arrived whole is kept, also when the rest did not.
        if !matches!(&collected, Err(Interrupt::Stopped(why)) if why.is_silent()) {
            self.report(artifacts).await?;
        }
        let collected = collected?;
        let unmatched =
            collected.unmatched.iter().map(|pattern| format!("artifact pattern {pattern:?} matches no file"));
        let skipped = collected.skipped.iter().map(|skipped| format!("artifact left out: {skipped}"));
        for note in unmatched.chain(skipped) {
            self.log.system(note.clone()).await;
            self.notes.push(note);
        }
        match collected.limit {
            Some(limit) => Err(lost(format!("not all artifacts were kept: {limit}"))),
            None => Ok(()),
        }
    }

    async fn report(&mut self, artifacts: Vec<ArtifactMetadata>) -> Result<(), Interrupt> {
        let mut batch = Vec::new();
        let mut size = 0;
        for artifact in artifacts {
            let bytes = artifact.path.len() + artifact.name.len() + artifact.sha256.len();
            if size + bytes > EVENT_BYTES {
                self.say(std::mem::take(&mut batch)).await?;
                size = 0;
            }
            size += bytes;
            batch.push(artifact);
        }
        if batch.is_empty() { Ok(()) } else { self.say(batch).await }
    }

    async fn say(&mut self, artifacts: Vec<ArtifactMetadata>) -> Result<(), Interrupt> {
        let count = u32::try_from(artifacts.len()).unwrap_or(u32::MAX);
        self.reporter.say(EventBody::ArtifactsStored { artifacts }).await?;
        self.reported += count;
        Ok(())
    }
}

async fn receive(
    bus: &Arc<dyn Bus>,
    attempt: &RunningAttempt,
    session: &mut Session,
    log: &mut JobLog,
    stall: Duration,
    artifacts: &mut Vec<ArtifactMetadata>,
) -> Result<Collected, Interrupt> {
    let mut seen = HashSet::new();
    let mut bytes = 0u64;
    let mut transfer: Option<Transfer> = None;
    // What a background process printed before it was ended is no progress: only files are.
    let mut deadline = Instant::now() + SEARCH;
    loop {
        let message = timeout_at(deadline, session.next()).await;
        let message =
            message.map_err(|_| stalled(transfer.as_ref(), "the container sent no more of it"))??;
        match (message, &mut transfer) {
            (FromInit::ArtifactBegin(begin), None) => {
                check(&begin, &mut seen)?;
                transfer = Some(open(bus, attempt, begin));
                deadline = Instant::now() + stall;
            }
            (FromInit::ArtifactData(data), Some(open)) => {
                bytes += data.len() as u64;
                if bytes > MAX_BYTES {
                    return Err(lost(format!("artifacts exceed {MAX_BYTES} bytes in all")));
                }
                let is_progress = !data.is_empty();
                // Fails only when the bus gave up on the object, which its end tells.
                let sent = timeout_at(Instant::now() + stall, open.pieces.send(Ok(Bytes::from(data)))).await;
                sent.map_err(|_| stalled(transfer.as_ref(), "the bus took no more of it"))?.ok();
                if is_progress {
                    deadline = Instant::now() + stall;
                }
            }
            (FromInit::ArtifactEnd(end), Some(_)) => {
                if let Some(open) = transfer.take() {
                    artifacts.push(close(open, &end, stall).await?);
                    deadline = Instant::now() + stall;
                }
            }
            (FromInit::Collected(collected), None) => return Ok(collected),
            (FromInit::Output(piece), _) => log.piece(piece).await,
            (other, _) => return Err(unexpected(&other).into()),
        }
    }
}

fn stalled(transfer: Option<&Transfer>, what: &str) -> Interrupt {
    lost(match transfer {
        Some(Transfer { begin, .. }) => format!("artifact {:?} stood still for too long: {what}", begin.path),
        None => "looking for artifacts took too long; name them by narrower patterns".to_owned(),
    })
}

/// Init is not trusted: a name that leads out of the job's folder, or too many of them, ends the collection.
fn check(begin: &ArtifactBegin, seen: &mut HashSet<String>) -> Result<(), Interrupt> {
    if let Err(reason) = check_artifact_path(&begin.path) {
        return Err(lost(format!("artifact {:?} is refused: {reason}", begin.path)));
    }
    if seen.len() >= MAX_FILES as usize || !seen.insert(begin.path.clone()) {
        return Err(EngineError::Session("init sent an artifact twice, or too many".to_owned()).into());
    }
    Ok(())
}

fn open(bus: &Arc<dyn Bus>, attempt: &RunningAttempt, begin: ArtifactBegin) -> Transfer {
    let (pieces, receiver) = mpsc::channel(QUEUE);
    let name = artifact_object(&attempt.job_id, attempt.attempt, &begin.path);
    let bus = Arc::clone(bus);
    let object = AbortOnDropHandle::new(tokio::spawn(async move {
        let content = StreamReader::new(ReceiverStream::new(receiver));
        bus.put_object(&name, Box::pin(content)).await
    }));
    Transfer { begin, pieces, object }
}

async fn close(
    transfer: Transfer,
    end: &ArtifactEnd,
    stall: Duration,
) -> Result<ArtifactMetadata, Interrupt> {
    let Transfer { begin, pieces, object } = transfer;
    drop(pieces);
    let path = begin.path;
    let failed = |why: &str| lost(format!("artifact {path:?} could not be stored: {why}"));
    let patience = stall + Duration::from_secs(end.size / SLOWEST_DISK);
    let stored = match tokio::time::timeout(patience, object).await {
        Ok(Ok(Ok(stored))) => stored,
        Ok(Ok(Err(e))) => return Err(failed(&chain(&e))),
        Ok(Err(e)) => return Err(failed(&e.to_string())),
        Err(_) => return Err(failed("the bus did not put it away in time")),
    };
    if stored.sha256 != end.sha256 || stored.size != end.size {
        return Err(lost(format!("artifact {path:?} changed on its way out")));
    }
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let mode = Some(format!("{:04o}", begin.mode & 0o7777));
    Ok(ArtifactMetadata { name, path, size_bytes: stored.size, sha256: stored.sha256, mode })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Artifacts are part of the result: without them a job has not succeeded, and running it again is for its
/// user to decide.
fn lost(reason: String) -> Interrupt {
    Interrupt::Failed { failure: Failure::Permanent(EndCause::Artifacts), reason }
}
