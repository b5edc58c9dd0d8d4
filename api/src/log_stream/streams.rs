//! Opens streams, each with a task and a bound of its own.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use orcaops_common::bus::{Bus, BusError, LogPosition};
use orcaops_common::domain::id::JobId;
use orcaops_common::layout::RunLayout;
use orcaops_common::store::Store;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::end::Look;
use super::follow::follow;
use super::output::{Gone, Output};
use super::replay::{beginning, replay};
use super::so_far::so_far;
use super::start::{LineId, Start, Wanted};
use crate::routes::DoneData;
use crate::signals::Signals;
use crate::tasks::Tasks;

/// How many streams may be open at once on a replica.
const STREAMS: usize = 1000;
/// How many batches may wait for a slow client.
const BATCHES: usize = 4;

/// An answer's body, piece by piece.
pub(crate) type Pieces = ReceiverStream<io::Result<Bytes>>;

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
    pub(crate) fn follow(&self, job: JobId, wanted: Wanted) -> Option<Pieces> {
        self.open(job, wanted, None)
    }

    /// Opens what there is now of the log of a job that exists; `None` when too many are open.
    ///
    /// # Errors
    /// The bus, which alone has the log, can't be asked.
    pub(crate) async fn so_far(&self, job: JobId, wanted: Wanted) -> Result<Option<Pieces>, BusError> {
        // Asked here, as an answer that has begun can't say what is wrong.
        let is_mirrored = matches!(self.layout.read_log(&job).await, Ok(Some(_)));
        let end = if is_mirrored { 0 } else { self.bus.log_end(&job).await? };
        Ok(self.open(job, wanted, Some(end)))
    }

    fn open(&self, job: JobId, wanted: Wanted, until: Option<LogPosition>) -> Option<Pieces> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let (sender, receiver) = mpsc::channel(BATCHES);
        let output = Output::new(sender, self.tasks.stop_token().clone(), wanted.format, wanted.filter);
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
            let _ = match until {
                None => source.follow(wanted.start, output).await,
                Some(end) => source.so_far(wanted.start, end, output).await,
            };
        });
        Some(ReceiverStream::new(receiver))
    }
}

impl Source {
    async fn follow(self, start: Start, mut output: Output) -> Result<(), Gone> {
        if !replay(&self, start, &mut output).await? {
            let begin = self.begin(start, &output).await?;
            let last = follow(&self, begin, &mut output).await?;
            self.rest(last, &mut output).await?;
        }
        output.flush().await?;
        if let Ok(Some(record)) = self.store.run(&self.job).await {
            output.done(&DoneData { job_id: self.job.as_str(), status: record.status }).await?;
        }
        Ok(())
    }

    async fn so_far(self, start: Start, end: LogPosition, mut output: Output) -> Result<(), Gone> {
        if !replay(&self, start, &mut output).await? {
            let begin = self.begin(start, &output).await?;
            so_far(&self, begin, end, &mut output).await?;
        }
        output.flush().await
    }

    async fn begin(&self, start: Start, output: &Output) -> Result<LineId, Gone> {
        match start {
            Start::After(id) => Ok(id),
            Start::Tail(tail) => tokio::select! {
                () = output.gone() => Err(Gone),
                begin = beginning(self, tail, output) => Ok(begin),
            },
        }
    }

    /// A log whose end the bus did not show may be whole in the layout: the bus forgets logs some time after
    /// they were mirrored, also under a reader that is very slow.
    async fn rest(&self, last: Look, output: &mut Output) -> Result<(), Gone> {
        if !last.saw_end {
            replay(self, Start::After(last.line), output).await?;
        }
        Ok(())
    }
}
