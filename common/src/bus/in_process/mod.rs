//! The bus of one machine: jobs, events and questions in this process' memory, logs and objects as files.
//!
//! What is in memory ends with the process. That loses nothing: the database is the truth about accepted jobs,
//! and the next process' generation tells the scheduler to dispatch them again. Files may be shared by several
//! processes at once, so that one can read what another's job printed.

mod control;
mod log;
mod log_file;
mod log_reader;
mod object;
mod queue;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use self::control::Switchboard;
use self::log::Logs;
use self::object::Objects;
use self::queue::{Queue, Taken};
use super::{
    Address, Bus, BusError, ByteReader, Delivery, EventDelivery, EventQueue, JobQueue, LogPosition,
    LogWriter, MAX_MESSAGE, ObjectInfo, Question,
};
use crate::domain::event::Event;
use crate::domain::id::{JobId, PoolName};
use crate::domain::log::LogEntry;
use crate::domain::message::JobMessage;

/// How many jobs of a pool may be on the bus at once; the scheduler brings the rest later.
const MAX_JOBS: usize = 10_000;
/// How many events may be on the bus at once; with none left, workers have to wait.
const MAX_EVENTS: usize = 20_000;

/// The bus of one machine.
pub struct InProcessBus {
    generation: String,
    pools: Mutex<HashMap<PoolName, Arc<Queue<JobMessage>>>>,
    events: Arc<Queue<Event>>,
    logs: Logs,
    objects: Objects,
    switchboard: Switchboard,
}

impl InProcessBus {
    /// Opens the bus whose files lie below `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// When the folder can't be made or written.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, BusError> {
        let folder = folder.as_ref();
        Ok(Self {
            generation: uuid::Uuid::new_v4().to_string(),
            pools: Mutex::default(),
            events: Arc::new(Queue::new(MAX_EVENTS)),
            logs: Logs::open(folder.join("logs"))?,
            objects: Objects::open(folder.join("objects"))?,
            switchboard: Switchboard::default(),
        })
    }

    fn pool(&self, pool: &PoolName) -> Arc<Queue<JobMessage>> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pools.entry(pool.clone()).or_insert_with(|| Arc::new(Queue::new(MAX_JOBS))))
    }
}

#[async_trait]
impl Bus for InProcessBus {
    async fn generation(&self) -> Result<String, BusError> {
        Ok(self.generation.clone())
    }

    async fn ping(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn publish_job(&self, job: &JobMessage) -> Result<(), BusError> {
        check_size("a job", job)?;
        self.pool(&job.pool).push(format!("{}.{}", job.job_id, job.dispatch), job.clone())
    }

    async fn jobs(&self, pool: &PoolName, lease: Duration) -> Result<Box<dyn JobQueue>, BusError> {
        Ok(Box::new(Jobs { queue: self.pool(pool), lease }))
    }

    async fn publish_event(&self, event: &Event) -> Result<(), BusError> {
        check_size("an event", event)?;
        let key = format!("{}.{}.{}", event.job_id, event.attempt, event.seq);
        self.events.push(key, event.clone())
    }

    async fn events(&self, lease: Duration) -> Result<Box<dyn EventQueue>, BusError> {
        Ok(Box::new(Events { queue: Arc::clone(&self.events), lease }))
    }

    async fn log_writer(&self, job: &JobId) -> Result<Box<dyn LogWriter>, BusError> {
        self.logs.writer(job).await
    }

    async fn read_log(
        &self,
        job: &JobId,
        after: LogPosition,
    ) -> Result<BoxStream<'static, Result<(LogPosition, LogEntry), BusError>>, BusError> {
        Ok(self.logs.read(job, after))
    }

    async fn log_end(&self, job: &JobId) -> Result<LogPosition, BusError> {
        self.logs.end(job).await
    }

    async fn delete_log(&self, job: &JobId) -> Result<(), BusError> {
        self.logs.delete(job).await
    }

    async fn put_object(&self, name: &str, content: ByteReader) -> Result<ObjectInfo, BusError> {
        self.objects.put(name, content).await
    }

    async fn get_object(&self, name: &str) -> Result<(ObjectInfo, ByteReader), BusError> {
        self.objects.get(name).await
    }

    async fn object_info(&self, name: &str) -> Result<ObjectInfo, BusError> {
        self.objects.info(name).await
    }

    async fn delete_object(&self, name: &str) -> Result<(), BusError> {
        self.objects.delete(name).await
    }

    async fn request(&self, to: &Address, question: Bytes, timeout: Duration) -> Result<Bytes, BusError> {
        self.switchboard.request(to, question, timeout).await
    }

    async fn serve(&self, at: &Address) -> Result<BoxStream<'static, Question>, BusError> {
        Ok(self.switchboard.serve(at))
    }
}

struct Jobs {
    queue: Arc<Queue<JobMessage>>,
    lease: Duration,
}

#[async_trait]
impl JobQueue for Jobs {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            if let Some(taken) = self.queue.take(1, self.lease).await.pop() {
                let Taken { value, delivery, lease } = taken;
                return Ok(Delivery { job: Ok(value), delivery, lease: Box::new(lease) });
            }
        }
    }
}

struct Events {
    queue: Arc<Queue<Event>>,
    lease: Duration,
}

#[async_trait]
impl EventQueue for Events {
    async fn next(&mut self, max: usize) -> Result<Vec<EventDelivery>, BusError> {
        let taken = self.queue.take(max, self.lease).await;
        Ok(taken
            .into_iter()
            .map(|Taken { value, delivery, lease }| EventDelivery {
                event: Ok(value),
                delivery,
                lease: Box::new(lease),
            })
            .collect())
    }
}

/// The same limit as on a bus that others run.
fn check_size(what: &str, message: &impl serde::Serialize) -> Result<(), BusError> {
    let size = serde_json::to_vec(message).map_or(0, |json| json.len());
    if size > MAX_MESSAGE {
        return Err(BusError::TooLarge { what: what.to_owned(), size, limit: MAX_MESSAGE });
    }
    Ok(())
}

/// A folder or file of the bus that can't be used.
fn unusable(path: &Path, error: std::io::Error) -> BusError {
    BusError::Unavailable { address: path.display().to_string(), cause: Box::new(error) }
}

/// Opens a folder of the bus, made when it is missing, and removes the files in it that nobody has written to for
/// so long. Another process may be using the folder; what it uses is younger.
fn open_folder(folder: PathBuf, retention: Duration) -> Result<PathBuf, BusError> {
    std::fs::create_dir_all(&folder).map_err(|e| unusable(&folder, e))?;
    let oldest = SystemTime::now() - retention;
    for entry in std::fs::read_dir(&folder).map_err(|e| unusable(&folder, e))?.flatten() {
        if entry.metadata().and_then(|m| m.modified()).is_ok_and(|at| at < oldest) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(folder)
}
