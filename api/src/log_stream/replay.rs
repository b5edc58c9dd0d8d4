//! Reads a log's past: from the run layout once it is there, and from the bus to find where a tail begins.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use orcaops_common::domain::log::LogLine;
use orcaops_common::layout::LayoutError;

use super::output::{Gone, Output};
use super::start::{Format, LineId, Resumed, Start, Tail, id_of};
use super::streams::Source;
use crate::error::chain;

/// How long the bus may take for an entry that it has. Longer means that the entry is gone.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Sends the log that the layout holds. `false` when it holds none.
pub(super) async fn replay(source: &Source, start: Start, output: &mut Output) -> Result<bool, Gone> {
    let after = match start {
        Start::After(id) => id,
        Start::Tail(tail) => {
            let mut seen = Tail::new(tail);
            let Some(mut lines) = open(source).await else { return Ok(false) };
            while let Some(Ok(line)) = lines.next().await {
                if output.wants(&line) {
                    seen.saw(id_of(&line));
                }
            }
            seen.start()
        }
    };
    let Some(mut lines) = open(source).await else { return Ok(false) };
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) if id_of(&line) > after => output.line(&line).await?,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(job.id = %source.job, error = chain(&error), "a mirrored log cannot be read");
                if output.format() != Format::Events {
                    return Err(output.broken("the rest of the log cannot be read").await);
                }
                break;
            }
        }
    }
    Ok(true)
}

/// Opens the log that the layout holds. One that can't be read counts as none: the bus may have it yet.
async fn open(source: &Source) -> Option<BoxStream<'static, Result<LogLine, LayoutError>>> {
    match source.layout.read_log(&source.job).await {
        Ok(lines) => lines,
        Err(error) => {
            tracing::error!(job.id = %source.job, error = chain(&error), "a mirrored log cannot be opened");
            None
        }
    }
}

/// Where the last `tail` wanted lines of what the bus holds now begin. When it can't be found out, at the
/// beginning.
pub(super) async fn beginning(source: &Source, tail: usize, output: &Output) -> LineId {
    let Ok(end) = source.bus.log_end(&source.job).await else { return (0, 0) };
    if tail == 0 {
        return (end, 0);
    }
    let mut seen = Tail::new(tail);
    let mut lines = Resumed::new((0, 0));
    let Ok(mut entries) = source.bus.read_log(&source.job, 0).await else { return (0, 0) };
    let mut position = 0;
    while position < end {
        let Ok(Some(Ok((at, entry)))) = tokio::time::timeout(PATIENCE, entries.next()).await else { break };
        position = at;
        for line in lines.push(at, &entry).iter().filter(|line| output.wants(line)) {
            seen.saw(id_of(line));
        }
    }
    // A stream sends lines once they are whole. What there is so far ends with those that are not.
    if output.format() != Format::Events {
        for line in lines.finish(position).iter().filter(|line| output.wants(line)) {
            seen.saw(id_of(line));
        }
    }
    seen.start()
}
