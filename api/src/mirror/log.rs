//! Writes a job's log from the bus to a file.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::{StreamExt, stream};
use orcaops_common::bus::{Bus, LogPosition};
use orcaops_common::domain::id::{AttemptId, JobId};
use orcaops_common::domain::lines::LineAssembler;
use orcaops_common::domain::log::{LogBody, LogEntry};
use orcaops_common::layout::RunLayout;

use super::copy::CopyError;
use crate::error::chain;

/// How long the bus may take for an entry that it has. Longer means that the entry is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a log.
pub(super) enum LogCopy {
    /// The file is there.
    Whole,
    /// The end of the attempt that counts has not come yet; so far the log goes. There is no file.
    UnderWay(LogPosition),
}

/// Writes what the bus holds of the log; if the end of an attempt is waited for, only once it is there.
pub(super) async fn copy(
    bus: &Arc<dyn Bus>,
    layout: &RunLayout,
    job: &JobId,
    wait_for: Option<AttemptId>,
) -> Result<LogCopy, CopyError> {
    let end = bus.log_end(job).await?;
    let mut file = layout.log_writer(job).await?;
    let mut assembler = LineAssembler::new();
    // A log without an entry is not worth a reader: many jobs are cancelled before they print anything.
    let mut entries = if end > 0 { bus.read_log(job, 0).await? } else { stream::empty().boxed() };
    let (mut position, mut last, mut lost, mut ended) = (0, None, false, None);
    while position < end {
        let entry = match tokio::time::timeout(PATIENCE, entries.next()).await {
            Ok(Some(Ok((at, entry)))) => {
                position = at;
                entry
            }
            Ok(Some(Err(error))) if error.is_transient() => return Err(error.into()),
            Ok(Some(Err(error))) => {
                tracing::error!(job.id = %job, error = chain(&error), "the rest of a log cannot be read");
                lost = true;
                break;
            }
            Ok(None) | Err(_) => {
                tracing::warn!(job.id = %job, position, end, "the bus no longer has all of a log");
                lost = true;
                break;
            }
        };
        last = Some(entry.attempt);
        if entry.body == LogBody::End {
            ended = ended.max(last);
        }
        for line in assembler.push(position, &entry) {
            file.append(&line).await?;
        }
    }
    if wait_for.is_some() && ended < wait_for && !lost {
        return Ok(LogCopy::UnderWay(end));
    }
    if let Some(attempt) = last {
        // A worker that died left its last line without an end.
        let end = LogEntry { attempt, at: Utc::now(), body: LogBody::End };
        for line in assembler.push(position, &end) {
            file.append(&line).await?;
        }
    }
    file.finish().await?;
    Ok(LogCopy::Whole)
}
