//! What a job has printed.

use std::io::ErrorKind;
use std::time::Duration;

use orcaops_common::domain::id::JobId;

use crate::client::{Client, LogEvent, LogReader};
use crate::failure::Failure;
use crate::output::log::LogPrinter;

/// The log of a job that runs has no end to wait for: when nothing came for so long, this was all so far.
const PAUSE_IS_END: Duration = Duration::from_millis(1000);

pub(super) async fn run(client: &Client, job: &JobId, follow: bool, json: bool) -> Result<(), Failure> {
    // An unknown job has no log to wait for.
    let ended = client.status(job.as_str()).await?.is.record.status.is_terminal();
    match copy(client, job, follow || ended, json).await {
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        copied => copied,
    }
}

async fn copy(client: &Client, job: &JobId, to_the_end: bool, json: bool) -> Result<(), Failure> {
    let mut reader = LogReader::new(client.clone(), job.as_str());
    let mut printer = LogPrinter::new();
    loop {
        let event = if to_the_end {
            reader.next().await?
        } else {
            match tokio::time::timeout(PAUSE_IS_END, reader.next()).await {
                Ok(event) => event?,
                Err(_) => break,
            }
        };
        let LogEvent::Line(line) = event else { break };
        if json { printer.json(&line) } else { printer.line(&line) }.map_err(Failure::Output)?;
        if !reader.has_ready() {
            printer.flush().map_err(Failure::Output)?;
        }
    }
    printer.flush().map_err(Failure::Output)
}
