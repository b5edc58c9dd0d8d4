//! Reads a log from the bus, the past first and then what comes.

use std::time::Duration;

use futures_util::StreamExt;
use orcaops_common::domain::log::LogBody;
use tokio::sync::broadcast::error::RecvError;

use super::end::Look;
use super::output::{Gone, Output};
use super::start::{LineId, Resumed, id_of};
use super::streams::Source;
use crate::trouble::Trouble;

/// The most entries taken at once; each has at most 64 KiB.
const ENTRIES: usize = 16;
/// How often the store is asked whether the run has ended: another replica may have recorded it.
const POLL: Duration = Duration::from_secs(1);

/// Sends the lines after `begin` until nothing more will come; says how far it came.
pub(super) async fn follow(source: &Source, begin: LineId, output: &mut Output) -> Result<Look, Gone> {
    let mut resumed = Resumed::new(begin);
    let mut look = Look::after(begin);
    let mut changes = source.signals.runs_that_may_have_ended();
    let mut listening = true;
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut trouble = Trouble::new("reading a log");
    let mut log = None;
    loop {
        if log.is_none() && !look.broken {
            match source.bus.read_log(&source.job, look.position).await {
                Ok(entries) => log = Some(entries.ready_chunks(ENTRIES)),
                Err(error) => trouble.note(&error),
            }
        }
        let next = async {
            match &mut log {
                Some(entries) => entries.next().await,
                None => std::future::pending().await,
            }
        };
        let entries = tokio::select! {
            biased;
            () = output.gone() => return Err(Gone),
            entries = next => Some(entries),
            change = changes.recv(), if listening => match change {
                Ok(job) if job != source.job => continue,
                Ok(_) | Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => { listening = false; continue }
            },
            _ = tick.tick() => None,
        };
        let mut look_now = entries.is_none();
        match entries {
            None => output.heartbeat().await?,
            // The stream ended though a log never does: it is opened again at the next tick.
            Some(None) => {
                log = None;
                tick.tick().await;
            }
            Some(Some(entries)) => {
                for entry in entries {
                    let (position, entry) = match entry {
                        Ok(entry) => entry,
                        Err(error) => {
                            trouble.note(&error);
                            look.broken = !error.is_transient();
                            log = None;
                            break;
                        }
                    };
                    trouble.over();
                    look.position = position;
                    if entry.body == LogBody::End {
                        look.end_of(entry.attempt);
                        look_now = true;
                    }
                    for line in resumed.push(position, &entry) {
                        output.line(&line).await?;
                        look.line = id_of(&line);
                    }
                }
                output.flush().await?;
                look.heard();
                if log.is_none() {
                    tokio::select! {
                        () = output.gone() => return Err(Gone),
                        _ = tick.tick() => {}
                    }
                }
            }
        }
        if look_now && look.is_over(source).await {
            for line in resumed.finish(look.position) {
                output.line(&line).await?;
                look.line = id_of(&line);
            }
            return Ok(look);
        }
    }
}
