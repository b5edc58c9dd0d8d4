//! The in-process bus, held to the rules of every bus, and to some of its own.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use chrono::Utc;
use futures_util::StreamExt;
use orcaops_common::bus::conformance::BusUnderTest;
use orcaops_common::bus::in_process::InProcessBus;
use orcaops_common::bus::{Bus, BusError};
use orcaops_common::domain::id::{AttemptId, JobId};
use orcaops_common::domain::log::{LogBody, LogEntry};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

async fn fresh() -> (BusUnderTest, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (Arc::new(InProcessBus::open(folder.path()).expect("a bus")), folder)
}

orcaops_common::bus_conformance!(crate::fresh());

async fn write(bus: &InProcessBus, job: &JobId, deliveries: std::ops::RangeInclusive<u32>) -> Result<()> {
    let mut log = bus.log_writer(job).await?;
    for delivery in deliveries {
        let attempt = AttemptId { dispatch: 1, delivery };
        log.append(LogEntry { attempt, at: Utc::now(), body: LogBody::End }).await?;
    }
    Ok(log.flush().await?)
}

async fn read(bus: &InProcessBus, job: &JobId, count: usize) -> Result<Vec<u32>> {
    let entries = bus.read_log(job, 0).await?.take(count).collect::<Vec<_>>();
    let entries = tokio::time::timeout(Duration::from_secs(20), entries).await?;
    entries.into_iter().map(|e| Ok(e?.1.attempt.delivery)).collect()
}

/// The only file in a folder with that ending.
fn only(folder: &Path, ending: &str) -> PathBuf {
    let mut found = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path());
    found.find(|p| p.extension().is_some_and(|e| e == ending)).expect("a file")
}

#[tokio::test]
async fn a_log_that_was_left_half_written_ends_at_its_last_whole_entry_and_goes_on_there() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let job = JobId::new("job")?;
    write(&InProcessBus::open(folder.path())?, &job, 1..=3).await?;
    let path = only(&folder.path().join("logs"), "log");
    let size = std::fs::metadata(&path)?.len();
    // The third entry loses its last byte.
    std::fs::OpenOptions::new().write(true).open(&path)?.set_len(size - 1)?;

    let bus = InProcessBus::open(folder.path())?;
    assert_eq!(bus.log_end(&job).await?, size / 3 * 2);
    assert_eq!(read(&bus, &job, 2).await?, [1, 2]);
    write(&bus, &job, 4..=5).await?;
    assert_eq!(read(&bus, &job, 4).await?, [1, 2, 4, 5]);
    Ok(())
}

#[tokio::test]
async fn what_one_process_writes_another_reads() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let job = JobId::new("job")?;
    let (writer, reader) = (InProcessBus::open(folder.path())?, InProcessBus::open(folder.path())?);
    let (read, written) = tokio::join!(read(&reader, &job, 3), write(&writer, &job, 1..=3));
    written?;
    assert_eq!(read?, [1, 2, 3]);
    writer.put_object("name", Box::pin(&b"bytes"[..])).await?;
    let (_, mut content) = reader.get_object("name").await?;
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).await?;
    assert_eq!(bytes, b"bytes");
    assert_ne!(writer.generation().await?, reader.generation().await?);
    Ok(())
}

#[tokio::test]
async fn logs_of_yesterday_are_removed_when_the_bus_is_opened() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (old, new) = (JobId::new("old")?, JobId::new("new")?);
    let bus = InProcessBus::open(folder.path())?;
    write(&bus, &old, 1..=1).await?;
    let path = only(&folder.path().join("logs"), "log");
    write(&bus, &new, 1..=1).await?;
    let yesterday = SystemTime::now() - Duration::from_secs(25 * 3600);
    std::fs::OpenOptions::new().write(true).open(path)?.set_modified(yesterday)?;

    let bus = InProcessBus::open(folder.path())?;
    assert_eq!(bus.log_end(&old).await?, 0);
    assert!(bus.log_end(&new).await? > 0);
    Ok(())
}

#[tokio::test]
async fn objects_of_last_week_are_removed_when_the_bus_is_opened() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let objects = folder.path().join("objects");
    let bus = InProcessBus::open(folder.path())?;
    bus.put_object("old", Box::pin(&b"old"[..])).await?;
    let last_week = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    for ending in ["data", "json"] {
        std::fs::OpenOptions::new().write(true).open(only(&objects, ending))?.set_modified(last_week)?;
    }
    bus.put_object("new", Box::pin(&b"new"[..])).await?;

    let bus = InProcessBus::open(folder.path())?;
    assert!(matches!(bus.object_info("old").await, Err(BusError::NotFound { .. })));
    assert_eq!(bus.object_info("new").await?.size, 3);
    assert_eq!(std::fs::read_dir(&objects)?.count(), 2, "nothing of the old one is left");
    Ok(())
}

#[tokio::test]
async fn bytes_that_have_changed_on_disk_are_not_passed_off_as_the_object() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bus = InProcessBus::open(folder.path())?;
    bus.put_object("name", Box::pin(&b"bytes"[..])).await?;
    std::fs::write(only(&folder.path().join("objects"), "data"), "bytez")?;
    let (_, mut content) = bus.get_object("name").await?;
    assert!(content.read_to_end(&mut Vec::new()).await.is_err());
    Ok(())
}
