//! What becomes of a job whose files can't be brought to the bus.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcaops_common::bus::Bus;
use orcaops_common::bus::faulty::{FaultyBus, ObjectFault};
use orcaops_common::bus::in_process::InProcessBus;
use orcaops_common::domain::event::{EventBody, Finished};
use orcaops_common::domain::id::{JobId, WorkerName};
use orcaops_common::domain::job::{JobCommand, JobSpec};
use orcaops_common::domain::message::JobMessage;
use orcaops_common::domain::run::{CleanupStatus, EndCause, JobStatus};
use orcaops_tests::docker::{FleetContainers, test_image};
use orcaops_worker::{Worker, WorkerConfig};

/// Longer than the job takes by far.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an artifact may stand still here.
const STALL: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);

/// Runs a job that leaves a file, on a worker whose bus has that fault: its result, once its container is gone.
async fn result(command: &str, fault: ObjectFault) -> Result<Finished> {
    let folder = tempfile::tempdir()?;
    let bus: Arc<dyn Bus> = Arc::new(InProcessBus::open(folder.path())?);
    let faulty = Arc::new(FaultyBus::new(bus.clone()));
    faulty.fail_objects(fault);
    let fleet = format!("test-{}", uuid::Uuid::new_v4().simple());
    let containers = FleetContainers::new(&fleet).await?;
    let mut config = WorkerConfig::new(WorkerName::new("faulty")?);
    config.fleet = fleet;
    config.artifacts_stall = STALL;
    config.drain_grace = Duration::ZERO;
    let mut spec = JobSpec::new(test_image(), vec![JobCommand::shell(command)]);
    spec.artifacts = vec!["/tmp/file".to_owned()];
    let job = JobMessage {
        job_id: JobId::new("job")?,
        pool: config.pool.clone(),
        dispatch: 1,
        attempts_spent: 0,
        max_attempts: 3,
        ttl_expiry: None,
        spec,
    };
    bus.publish_job(&job).await?;
    let mut events = bus.events(LEASE).await?;
    let worker = Worker::start(config, faulty).await?;
    let (mut finished, mut cleaned) = (None, None);
    let heard = tokio::time::timeout(PATIENCE, async {
        while finished.is_none() || cleaned.is_none() {
            for delivery in events.next(10).await? {
                delivery.lease.ack().await?;
                match delivery.event.map_err(anyhow::Error::msg)?.body {
                    EventBody::Finished(result) => finished = Some(result),
                    EventBody::Cleaned { status } => cleaned = Some(status),
                    _ => {}
                }
            }
        }
        anyhow::Ok(())
    });
    let heard = heard.await;
    worker.stop().await;
    heard.context("the job did not end")??;
    ensure!(cleaned == Some(CleanupStatus::Destroyed), "{cleaned:?}");
    containers.all_gone().await?;
    finished.context("no result")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_fails_its_job_with_the_reason() -> Result<()> {
    let result = result("echo x > /tmp/file", ObjectFault::Refused).await?;
    assert_eq!((result.status, result.end_cause, result.steps), (JobStatus::Failed, EndCause::Artifacts, 1));
    let error = result.error.context("no error")?;
    assert_eq!(
        error,
        "artifact \"file\" could not be stored: cannot reach the bus at bus.test:4222: no space left on device"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_stands_still_fails_its_job_in_time() -> Result<()> {
    // More than may wait for the bus.
    let large = result("head -c 8000000 /dev/zero > /tmp/file", ObjectFault::Hangs).await?;
    assert_eq!((large.status, large.end_cause), (JobStatus::Failed, EndCause::Artifacts));
    let stood_still = "artifact \"file\" stood still for too long: the bus took no more of it";
    assert_eq!(large.error.as_deref(), Some(stood_still));
    // All of it waits.
    let small = result("echo x > /tmp/file", ObjectFault::Hangs).await?;
    assert_eq!((small.status, small.end_cause), (JobStatus::Failed, EndCause::Artifacts));
    let not_in_time = "artifact \"file\" could not be stored: the bus did not put it away in time";
    assert_eq!(small.error.as_deref(), Some(not_in_time));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commands_own_failure_says_more_than_that_of_its_files() -> Result<()> {
    let result = result("echo x > /tmp/file; exit 7", ObjectFault::Refused).await?;
    assert_eq!((result.status, result.end_cause), (JobStatus::Failed, EndCause::Exit));
    let error = result.error.context("no error")?;
    assert!(error.starts_with("step 1 exited with code 7; artifact \"file\" could not be stored"), "{error}");
    Ok(())
}
