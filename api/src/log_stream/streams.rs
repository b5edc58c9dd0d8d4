//! Opens streams, each with a task and a bound of its own.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use orcaops_common::bus::Bus;
use orcaops_common::domain::id::JobId;
use orcaops_common::layout::RunLayout;
use orcaops_common::store::Store;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::end::Look;
use super::follow::follow;
use super::output::{Gone, Output};
use super::replay::{beginning, replay};
use super::start::{LineId, Start};
use crate::routes::DoneData;
use crate::signals::Signals;
use crate::tasks::Tasks;

/// How many streams may be open at once on a replica.
const STREAMS: usize = 1000;
/// How many batches may wait for a slow client.
const BATCHES: usize = 4;

/// Opens log streams.
#[derive(Clone)]
pub(crate) struct LogStreams {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    layout: RunLayout,
    signals: Signals,
    tasks: Tasks,
    permits: Arc<Semaphore>,
}

/// What a stream reads.
pub(super) struct Source {
    pub(super) job: JobId,
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) layout: RunLayout,
    pub(super) signals: Signals,
}

impl LogStreams {
    /// `tasks` are those that end when the service takes no more requests.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        layout: RunLayout,
        signals: Signals,
        tasks: Tasks,
    ) -> Self {
        Self { store, bus, layout, signals, tasks, permits: Arc::new(Semaphore::new(STREAMS)) }
    }

    /// Opens the stream of a job that exists; `None` when too many are open.
    pub(crate) fn open(&self, job: JobId, start: Start) -> Option<ReceiverStream<io::Result<Bytes>>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let (sender, receiver) = mpsc::channel(BATCHES);
        let output = Output::new(sender, self.tasks.stop_token().clone());
        let source = Source {
            job,
            store: Arc::clone(&self.store),
            bus: Arc::clone(&self.bus),
            layout: self.layout.clone(),
            signals: self.signals.clone(),
        };
        self.tasks.spawn(async move {
            let _permit = permit;
            // Whether the client left or the stream ended is one to this task.
            let _ = source.run(start, output).await;
        });
        Some(ReceiverStream::new(receiver))
    }
}

impl Source {
    async fn run(self, start: Start, mut output: Output) -> Result<(), Gone> {
        if !self.replayed(start, &mut output).await? {
            let begin = match start {
                Start::After(id) => id,
                Start::Tail(tail) => tokio::select! {
                    () = output.gone() => return Err(Gone),
                    begin = beginning(&self, tail) => begin,
                },
            };
            let last = follow(&self, begin, &mut output).await?;
            self.rest(last, &mut output).await?;
        }
        output.flush().await?;
        if let Ok(Some(record)) = self.store.run(&self.job).await {
            output.done(&DoneData { job_id: self.job.as_str(), status: record.status }).await?;
        }
        Ok(())
    }

    /// Sends a log that the layout has whole.
    async fn replayed(&self, start: Start, output: &mut Output) -> Result<bool, Gone> {
        replay(self, start, output).await
    }

    /// A log whose end the bus did not show may be whole in the layout: the bus forgets logs some time after
    /// they were mirrored, also under a reader that is very slow.
    async fn rest(&self, last: Look, output: &mut Output) -> Result<(), Gone> {
        if !last.saw_end {
            let after: LineId = last.line;
            replay(self, Start::After(after), output).await?;
        }
        Ok(())
    }
}
