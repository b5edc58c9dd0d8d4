//! Which running runs are to be written while they run: those that live longer than a moment and have ended a step.
//!
//! What is written this way helps whoever reads the layout meanwhile. It is a matter of seconds, not of every step:
//! most runs end before they are looked at, and the recorder is never waited for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use orcaops_common::domain::id::{AttemptId, JobId};
use orcaops_common::store::{RunCursor, Store, StoreError};
use tokio::time::Instant;

use super::copy::CopyError;
use crate::error::chain;

/// How often runs are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a run has been running that is looked at.
const AGE: Duration = Duration::from_secs(1);
/// The most runs looked at at once; the next look goes on after them.
const PAGE: u32 = 500;
/// How much longer than its last writing took a run waits for its next: what is written holds all its steps again.
const REST: u32 = 10;
/// How long a run waits that could not be written.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How far a run has come: its attempt, and how many steps of it are known.
pub(super) type Progress = (AttemptId, u32);

/// What is known of the runs under way.
#[derive(Default)]
pub(super) struct Live {
    looked: Option<Instant>,
    after: Option<RunCursor>,
    /// Runs seen since the list's beginning.
    seen: HashSet<JobId>,
    written: HashMap<JobId, Written>,
    waiting: VecDeque<(JobId, Progress)>,
}

struct Written {
    progress: Option<Progress>,
    again: Instant,
}

impl Live {
    /// Looks for runs that have come further, if it is time to.
    pub(super) async fn look(&mut self, store: &Arc<dyn Store>) -> Result<(), StoreError> {
        let now = Instant::now();
        if !self.waiting.is_empty() || self.looked.is_some_and(|looked| now - looked < PERIOD) {
            return Ok(());
        }
        self.looked = Some(now);
        let page = store.under_way(AGE, self.after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        self.after = page.last().map(|run| run.place.clone()).filter(|_| !is_last);
        for run in page {
            let (job, progress) = (run.place.job_id, (run.attempt, run.steps));
            self.seen.insert(job.clone());
            let is_news =
                self.written.get(&job).is_none_or(|w| w.progress != Some(progress) && w.again <= now);
            if run.steps > 0 && is_news {
                self.waiting.push_back((job, progress));
            }
        }
        if is_last {
            let seen = std::mem::take(&mut self.seen);
            self.written.retain(|job, _| seen.contains(job));
        }
        Ok(())
    }

    /// The next run to write.
    pub(super) fn next(&mut self) -> Option<(JobId, Progress)> {
        self.waiting.pop_front()
    }

    /// Notes how the writing of a run went that began at `began`.
    pub(super) fn settle(
        &mut self,
        job: JobId,
        progress: Progress,
        began: Instant,
        outcome: &Result<(), CopyError>,
    ) {
        let now = Instant::now();
        let written = match outcome {
            Ok(()) => Written { progress: Some(progress), again: now + (now - began) * REST },
            Err(error) => {
                tracing::warn!(job.id = %job, error = chain(error), "a running run could not be written; trying later");
                Written { progress: None, again: now + AFTER_FAILURE }
            }
        };
        self.written.insert(job, written);
    }
}
