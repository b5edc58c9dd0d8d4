//! What API and workers may expect of a bus, whatever carries it.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::io::AsyncRead;

use super::BusError;
use crate::domain::event::Event;
use crate::domain::id::{JobId, PoolName, WorkerName};
use crate::domain::log::LogEntry;
use crate::domain::message::JobMessage;

/// A byte stream that can be sent between tasks.
pub type ByteReader = Pin<Box<dyn AsyncRead + Send>>;

/// A place in a log. Positions grow with every entry of a job's log, and are otherwise opaque: two logs may
/// share one counter. 0 is before the first entry.
pub type LogPosition = u64;

/// The longest message the bus must take, in bytes: job messages, events and questions.
pub const MAX_MESSAGE: usize = 900 * 1024;

/// Carries jobs to workers and everything else back.
///
/// Guarantees that all implementations share, and the conformance suite checks:
/// - **Jobs**: a job published is delivered to one consumer at a time, and again, with a higher delivery
///   number, when it is neither acknowledged nor kept alive within the lease. The same `(job_id, dispatch)`
///   published twice within ten minutes is one message. Jobs of a pool are delivered in order of publication.
/// - **Events**: delivered at least once, to one of all the consumers, in order of publication as long as one
///   consumer reads them. The same `(job_id, attempt, seq)` published twice within ten minutes is one message.
/// - **Logs**: kept per job, in order, replayable from any position by any number of readers.
/// - **Objects**: bytes by name, whole or not at all, hash verified when read.
/// - **Questions**: request and reply, at most once.
///
/// `Ok` of a publish means the message outlives this process (in the in-process bus: nothing does; the
/// database is the truth about accepted jobs, and the scheduler dispatches again what was lost).
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Names the present life of the bus' data. It changes when everything on the bus was lost, so that the
    /// scheduler knows that what it dispatched under another generation will never arrive. Cheap to call; it
    /// asks the server at most every few seconds.
    async fn generation(&self) -> Result<String, BusError>;

    /// Whether the bus can be reached now; its address is in the error.
    async fn ping(&self) -> Result<(), BusError>;

    /// Puts a job on the bus.
    async fn publish_job(&self, job: &JobMessage) -> Result<(), BusError>;

    /// Opens the queue of a pool. `lease` is how long a delivered job may stay silent; all workers of a pool
    /// use the same.
    async fn jobs(&self, pool: &PoolName, lease: Duration) -> Result<Box<dyn JobQueue>, BusError>;

    /// Puts an event on the bus.
    async fn publish_event(&self, event: &Event) -> Result<(), BusError>;

    /// Opens the one queue of events that all recorders share. An event that is not acknowledged within
    /// `lease` comes again.
    async fn events(&self, lease: Duration) -> Result<Box<dyn EventQueue>, BusError>;

    /// Opens the log of a job for writing.
    async fn log_writer(&self, job: &JobId) -> Result<Box<dyn LogWriter>, BusError>;

    /// Reads a job's log: the entries after `after`, then new ones as they come, for ever. A log that does
    /// not exist yet is an empty one. Entries dropped by retention are skipped. A reader that is slow never
    /// holds up a writer.
    async fn read_log(
        &self,
        job: &JobId,
        after: LogPosition,
    ) -> Result<BoxStream<'static, Result<(LogPosition, LogEntry), BusError>>, BusError>;

    /// Position of the last entry of a job's log, 0 when it has none.
    async fn log_end(&self, job: &JobId) -> Result<LogPosition, BusError>;

    /// Forgets a job's log.
    async fn delete_log(&self, job: &JobId) -> Result<(), BusError>;

    /// Stores bytes under a name, replacing what was there. If the reader fails, nothing is stored.
    async fn put_object(&self, name: &str, content: ByteReader) -> Result<ObjectInfo, BusError>;

    /// Opens an object for reading. Reading fails if the bytes are not those that were stored.
    async fn get_object(&self, name: &str) -> Result<(ObjectInfo, ByteReader), BusError>;

    /// What is known of an object, or `NotFound`.
    async fn object_info(&self, name: &str) -> Result<ObjectInfo, BusError>;

    /// Forgets an object; one that is not there is no error.
    async fn delete_object(&self, name: &str) -> Result<(), BusError>;

    /// Asks a question and waits at most `timeout` for the answer.
    async fn request(&self, to: &Address, question: Bytes, timeout: Duration) -> Result<Bytes, BusError>;

    /// Answers the questions asked at an address. Several servers of [`Address::Api`] share its questions.
    async fn serve(&self, at: &Address) -> Result<BoxStream<'static, Question>, BusError>;
}

/// What an object store knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
}

/// Who answers questions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// Any replica of the API.
    Api,
    /// One worker.
    Worker(WorkerName),
}

/// The way back to who asked a question.
pub type Reply = Box<dyn FnOnce(Bytes) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A question, and the way back to who asked it. Dropped without an answer, it times out.
pub struct Question {
    /// What is asked.
    pub payload: Bytes,
    /// Sends the answer.
    pub reply: Reply,
}

/// The jobs of a pool, for a worker.
#[async_trait]
pub trait JobQueue: Send {
    /// The next job; waits until there is one. Cancel safe: a job is either returned or comes again.
    async fn next(&mut self) -> Result<Delivery, BusError>;
}

/// A job in a worker's hands.
pub struct Delivery {
    /// The job. `Err` holds the words for a message that can't be read; acknowledge it, it will never be.
    pub job: Result<JobMessage, String>,
    /// How often this message has been delivered, this time included.
    pub delivery: u32,
    /// The hold on the message.
    pub lease: Box<dyn Lease>,
}

/// The hold on a delivered job. Dropped without `ack` or `release`, the job comes again after the lease.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Holds the job for another lease. To be called every third of it.
    async fn extend(&self) -> Result<(), BusError>;
    /// The job is done with; it never comes again. `Ok` means the bus knows.
    async fn ack(&self) -> Result<(), BusError>;
    /// Gives the job back, to come again after `delay`.
    async fn release(&self, delay: Duration) -> Result<(), BusError>;
}

/// The events of all attempts, for a recorder.
#[async_trait]
pub trait EventQueue: Send {
    /// The next events, at most `max`, in order; waits until there is at least one. Cancel safe.
    async fn next(&mut self, max: usize) -> Result<Vec<EventDelivery>, BusError>;
}

/// An event in a recorder's hands.
pub struct EventDelivery {
    /// The event. `Err` holds the words for a message that can't be read.
    pub event: Result<Event, String>,
    /// How often it has been delivered, this time included.
    pub delivery: u32,
    /// The hold on the message.
    pub lease: Box<dyn Lease>,
}

/// Writes a job's log. Entries are stored in the order of the calls.
#[async_trait]
pub trait LogWriter: Send {
    /// Appends an entry. Returns once it is under way; waits while too many are.
    async fn append(&mut self, entry: LogEntry) -> Result<(), BusError>;
    /// Waits until everything appended is stored.
    async fn flush(&mut self) -> Result<(), BusError>;
}
