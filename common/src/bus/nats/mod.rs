//! The bus of a fleet: NATS with JetStream.
//!
//! | what | where |
//! |---|---|
//! | jobs | work-queue stream `ORCAOPS_JOBS`, one durable consumer `workers-<pool>` for each pool |
//! | events | work-queue stream `ORCAOPS_EVENTS`, durable consumer `recorder` |
//! | logs | stream `ORCAOPS_LOGS`, one subject for each job |
//! | objects | object store `orcaops-objects` |
//! | questions | plain request and reply below `orcaops.control` |

mod connect;
mod consumer;
mod control;
mod credentials;
mod error;
mod event;
mod job;
mod lease;
mod log;
mod object;
mod object_reader;
mod object_writer;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use self::connect::NatsBus;
use super::{
    Address, Bus, BusError, ByteReader, EventQueue, JobQueue, LogPosition, LogWriter, ObjectInfo, Question,
};
use crate::domain::event::Event;
use crate::domain::id::{JobId, PoolName};
use crate::domain::log::LogEntry;
use crate::domain::message::JobMessage;

#[async_trait]
impl Bus for NatsBus {
    async fn generation(&self) -> Result<String, BusError> {
        self.jobs_generation().await
    }

    async fn ping(&self) -> Result<(), BusError> {
        self.check().await
    }

    async fn publish_job(&self, job: &JobMessage) -> Result<(), BusError> {
        self.put_job(job).await
    }

    async fn jobs(&self, pool: &PoolName, lease: Duration) -> Result<Box<dyn JobQueue>, BusError> {
        Ok(Box::new(self.job_queue(pool, lease).await?))
    }

    async fn publish_event(&self, event: &Event) -> Result<(), BusError> {
        self.put_event(event).await
    }

    async fn events(&self, lease: Duration) -> Result<Box<dyn EventQueue>, BusError> {
        Ok(Box::new(self.event_queue(lease).await?))
    }

    async fn log_writer(&self, job: &JobId) -> Result<Box<dyn LogWriter>, BusError> {
        Ok(Box::new(self.writer_of(job).await?))
    }

    async fn read_log(
        &self,
        job: &JobId,
        after: LogPosition,
    ) -> Result<BoxStream<'static, Result<(LogPosition, LogEntry), BusError>>, BusError> {
        self.reader_of(job, after).await
    }

    async fn log_end(&self, job: &JobId) -> Result<LogPosition, BusError> {
        self.end_of(job).await
    }

    async fn delete_log(&self, job: &JobId) -> Result<(), BusError> {
        self.purge_log(job).await
    }

    async fn put_object(&self, name: &str, content: ByteReader) -> Result<ObjectInfo, BusError> {
        self.store_object(name, content).await
    }

    async fn get_object(&self, name: &str) -> Result<(ObjectInfo, ByteReader), BusError> {
        self.open_object(name).await
    }

    async fn object_info(&self, name: &str) -> Result<ObjectInfo, BusError> {
        self.info_of_object(name).await
    }

    async fn delete_object(&self, name: &str) -> Result<(), BusError> {
        self.remove_object(name).await
    }

    async fn request(&self, to: &Address, question: Bytes, timeout: Duration) -> Result<Bytes, BusError> {
        self.ask(to, question, timeout).await
    }

    async fn serve(&self, at: &Address) -> Result<BoxStream<'static, Question>, BusError> {
        self.listen(at).await
    }
}
