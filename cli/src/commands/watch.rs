//! Watching a job to its end.

use std::io::ErrorKind;
use std::time::Duration;

use orcaops_common::domain::id::JobId;
use orcaops_common::domain::run::JobStatus;
use tokio_util::task::AbortOnDropHandle;

use crate::client::{Client, ClientError, JobStatusAnswer, LogEvent, LogReader, Patience, Raw, Selection};
use crate::failure::Failure;
use crate::output::log::LogPrinter;
use crate::output::words;

/// The first pause between two looks at a job; it grows.
const FIRST_PAUSE: Duration = Duration::from_millis(30);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A job that waits for longer is worth a word.
const WAITS_LONG: Duration = Duration::from_secs(2);

/// Waits for a job's end; its record.
pub(super) async fn end_of(client: &Client, job: &JobId) -> Result<Raw<JobStatusAnswer>, Failure> {
    let mut patience = Patience::long();
    let mut pause = FIRST_PAUSE;
    loop {
        match client.status(job.as_str()).await {
            Ok(answer) if answer.is.record.status.is_terminal() => return Ok(answer),
            Ok(_) => {
                patience.succeeded();
                tokio::time::sleep(pause).await;
                pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            }
            Err(error) => patience.failed(error).await.map_err(|cause| lost(job, cause))?,
        }
    }
}

/// Prints a job's log until the job ends. When nobody reads it any more, goes on without printing.
pub(super) async fn follow(client: &Client, job: &JobId, mut printer: LogPrinter) -> Result<(), Failure> {
    let mut reader = LogReader::new(client.clone(), job.as_str(), Selection::default());
    let mut printed = Ok(());
    loop {
        match reader.next().await.map_err(|cause| lost(job, cause))? {
            LogEvent::Line(line) if printed.is_ok() => printed = printer.line(&line),
            LogEvent::Line(_) => {}
            LogEvent::Done => break,
        }
        if !reader.has_ready() && printed.is_ok() {
            printed = printer.flush();
        }
    }
    match printed.and_then(|()| printer.finish()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// As long as a job is queued, says why, when that takes long. Ends when dropped.
pub(super) fn say_why_it_waits(client: &Client, job: &JobId) -> AbortOnDropHandle<()> {
    let (client, job) = (client.clone(), job.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut said = None;
        loop {
            tokio::time::sleep(WAITS_LONG).await;
            let Ok(answer) = client.status(job.as_str()).await else { continue };
            let record = answer.is.record;
            if record.status != JobStatus::Queued && said.is_none() || record.status.is_terminal() {
                return;
            }
            if record.waiting_reason != said {
                if let Some(reason) = &record.waiting_reason {
                    words::say(&format!("the job waits: {reason}"));
                }
                said = record.waiting_reason;
            }
        }
    }))
}

fn lost(job: &JobId, cause: ClientError) -> Failure {
    if cause.is_transient() { Failure::LostSight { job: job.to_string(), cause } } else { cause.into() }
}
