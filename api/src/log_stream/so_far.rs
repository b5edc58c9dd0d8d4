//! Reads what the bus holds of a log now, and no more.

use futures_util::{StreamExt, stream};
use orcaops_common::bus::LogPosition;

use super::output::{Gone, Output};
use super::replay::{PATIENCE, replay};
use super::start::{LineId, Resumed, Start, id_of};
use super::streams::Source;

/// Sends the lines after `begin`, as far as the log goes until `end`.
pub(super) async fn so_far(
    source: &Source,
    begin: LineId,
    end: LogPosition,
    output: &mut Output,
) -> Result<(), Gone> {
    let mut resumed = Resumed::new(begin);
    let (mut position, mut last) = (begin.0, begin);
    let mut entries = match source.bus.read_log(&source.job, position).await {
        Ok(entries) if position < end => entries,
        // Nothing to read, or nothing that can be read now.
        Ok(_) | Err(_) => stream::empty().boxed(),
    };
    while position < end {
        let next = tokio::select! {
            biased;
            () = output.gone() => return Err(Gone),
            next = tokio::time::timeout(PATIENCE, entries.next()) => next,
        };
        let Ok(Some(Ok((at, entry)))) = next else {
            // The bus forgets a log some time after it was mirrored, also under a slow reader.
            return match replay(source, Start::After(last), output).await? {
                true => Ok(()),
                false => Err(output.broken("the rest of the log cannot be read").await),
            };
        };
        position = at;
        for line in resumed.push(position, &entry) {
            output.line(&line).await?;
            last = id_of(&line);
        }
    }
    let record = source.store.run(&source.job).await;
    let is_over = record.is_ok_and(|record| record.is_none_or(|record| record.status.is_terminal()));
    for mut line in resumed.finish(position) {
        if !is_over {
            // The rest of the line is still to come. After this id it comes as a whole.
            line.id = format!("{}-{}", last.0, last.1);
        }
        output.line(&line).await?;
    }
    Ok(())
}
