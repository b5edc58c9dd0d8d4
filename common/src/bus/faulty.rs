//! A real bus that can be told to fail, for tests of what then becomes of jobs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{
    Address, Bus, BusError, ByteReader, EventQueue, JobQueue, LogPosition, LogWriter, ObjectInfo, Question,
};
use crate::domain::event::Event;
use crate::domain::id::{JobId, PoolName};
use crate::domain::log::LogEntry;
use crate::domain::message::JobMessage;

/// What storing an object comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFault {
    /// It is refused, and why.
    Refused,
    /// Nothing happens, for ever.
    Hangs,
}

/// A bus of which publishing jobs, pinging, or storing objects can be made to fail.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    refuse_jobs: AtomicBool,
    unreachable: AtomicBool,
    objects: Mutex<Option<ObjectFault>>,
}

impl FaultyBus {
    /// A bus that does all that `inner` does, until it is told otherwise.
    pub fn new(inner: Arc<dyn Bus>) -> Self {
        let (refuse_jobs, unreachable) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { inner, refuse_jobs, unreachable, objects: Mutex::new(None) }
    }

    /// Whether no job can be published from now on.
    pub fn refuse_jobs(&self, refuse: bool) {
        self.refuse_jobs.store(refuse, Ordering::SeqCst);
    }

    /// Whether no ping is answered from now on.
    pub fn unreachable(&self, unreachable: bool) {
        self.unreachable.store(unreachable, Ordering::SeqCst);
    }

    /// No object can be stored from now on.
    pub fn fail_objects(&self, fault: ObjectFault) {
        *self.objects.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    fn check(flag: &AtomicBool) -> Result<(), BusError> {
        if !flag.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(BusError::Unavailable { address: "bus.test:4222".to_owned(), cause: "told to fail".into() })
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn generation(&self) -> Result<String, BusError> {
        self.inner.generation().await
    }
    async fn ping(&self) -> Result<(), BusError> {
        Self::check(&self.unreachable)?;
        self.inner.ping().await
    }
    async fn publish_job(&self, job: &JobMessage) -> Result<(), BusError> {
        Self::check(&self.refuse_jobs)?;
        self.inner.publish_job(job).await
    }
    async fn jobs(&self, pool: &PoolName, lease: Duration) -> Result<Box<dyn JobQueue>, BusError> {
        self.inner.jobs(pool, lease).await
    }
    async fn publish_event(&self, event: &Event) -> Result<(), BusError> {
        self.inner.publish_event(event).await
    }
    async fn events(&self, lease: Duration) -> Result<Box<dyn EventQueue>, BusError> {
        self.inner.events(lease).await
    }
    async fn log_writer(&self, job: &JobId) -> Result<Box<dyn LogWriter>, BusError> {
        self.inner.log_writer(job).await
    }
    async fn read_log(
        &self,
        job: &JobId,
        after: LogPosition,
    ) -> Result<BoxStream<'static, Result<(LogPosition, LogEntry), BusError>>, BusError> {
        self.inner.read_log(job, after).await
    }
    async fn log_end(&self, job: &JobId) -> Result<LogPosition, BusError> {
        self.inner.log_end(job).await
    }
    async fn delete_log(&self, job: &JobId) -> Result<(), BusError> {
        self.inner.delete_log(job).await
    }
    async fn put_object(&self, name: &str, content: ByteReader) -> Result<ObjectInfo, BusError> {
        let fault = *self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            None => self.inner.put_object(name, content).await,
            Some(ObjectFault::Refused) => Err(BusError::Unavailable {
                address: "bus.test:4222".to_owned(),
                cause: "no space left on device".into(),
            }),
            Some(ObjectFault::Hangs) => {
                // Held, and never read: whoever writes has to wait.
                let _content = content;
                std::future::pending().await
            }
        }
    }
    async fn get_object(&self, name: &str) -> Result<(ObjectInfo, ByteReader), BusError> {
        self.inner.get_object(name).await
    }
    async fn object_info(&self, name: &str) -> Result<ObjectInfo, BusError> {
        self.inner.object_info(name).await
    }
    async fn delete_object(&self, name: &str) -> Result<(), BusError> {
        self.inner.delete_object(name).await
    }
    async fn request(&self, to: &Address, question: Bytes, timeout: Duration) -> Result<Bytes, BusError> {
        self.inner.request(to, question, timeout).await
    }
    async fn serve(&self, at: &Address) -> Result<BoxStream<'static, Question>, BusError> {
        self.inner.serve(at).await
    }
}
