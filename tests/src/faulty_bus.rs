//! A real bus whose objects can be made to fail.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use orcaops_common::bus::{
    Address, Bus, BusError, ByteReader, EventQueue, JobQueue, LogPosition, LogWriter, ObjectInfo, Question,
};
use orcaops_common::domain::event::Event;
use orcaops_common::domain::id::{JobId, PoolName};
use orcaops_common::domain::log::LogEntry;
use orcaops_common::domain::message::JobMessage;

/// What storing an object comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused, and why.
    Refused,
    /// Nothing happens, for ever.
    Hangs,
}

/// A bus that stores no objects, and does all else.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    fault: Fault,
}

impl FaultyBus {
    /// A bus with that fault.
    pub fn new(inner: Arc<dyn Bus>, fault: Fault) -> Self {
        Self { inner, fault }
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn generation(&self) -> Result<String, BusError> {
        self.inner.generation().await
    }
    async fn ping(&self) -> Result<(), BusError> {
        self.inner.ping().await
    }
    async fn publish_job(&self, job: &JobMessage) -> Result<(), BusError> {
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
    async fn put_object(&self, _name: &str, content: ByteReader) -> Result<ObjectInfo, BusError> {
        match self.fault {
            Fault::Refused => Err(BusError::Unavailable {
                address: "bus.test:4222".to_owned(),
                cause: "no space left on device".into(),
            }),
            Fault::Hangs => {
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
