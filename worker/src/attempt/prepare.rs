//! Gets an attempt its container: image, limits, labels, network, inputs' folder.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use orcaops_common::domain::job::{DEFAULT_WORKDIR, JobSpec};
use orcaops_init::message::Hello;

use super::container::Held;
use super::log::JobLog;
use super::outcome::Interrupt;
use crate::engine::{ContainerPlan, Engine, EngineError};
use crate::registry::StopSignal;

/// How long after its TTL any worker of the fleet may remove a job's container.
pub(crate) const EXPIRY_SLACK: Duration = Duration::from_secs(10 * 60);

/// Makes the container, pulling its image when it is not there. What is made or in the making is in `container`,
/// whatever happens next.
pub(crate) async fn create(
    engine: &Arc<Engine>,
    plan: &Arc<ContainerPlan>,
    log: &JobLog,
    stop: &mut StopSignal,
    container: &mut Held,
) -> Result<(), Interrupt> {
    tokio::select! {
        biased;
        why = stop.stopped() => Err(Interrupt::Stopped(why)),
        made = make(engine, plan, log, container) => Ok(made?),
    }
}

async fn make(
    engine: &Arc<Engine>,
    plan: &Arc<ContainerPlan>,
    log: &JobLog,
    container: &mut Held,
) -> Result<(), EngineError> {
    if container.make(engine, plan).await? {
        return Ok(());
    }
    log.system(format!("pulling image {}", plan.image)).await;
    engine.pull(&plan.image).await?;
    if container.make(engine, plan).await? {
        return Ok(());
    }
    Err(EngineError::pull(&plan.image, "not found after it was pulled"))
}

/// What the worker greets init with.
///
/// The hold on the job is extended every third of the lease, init is pinged more often. A worker that freezes just
/// before an extension has pinged init a third of the lease after the last one: init must end everything within
/// the rest, before the job goes to another worker. Half a lease leaves a sixth to spare.
pub(crate) fn hello(spec: &JobSpec, lease: Duration) -> Hello {
    let lease = lease / 2;
    let base = if spec.inputs.is_empty() { "/" } else { DEFAULT_WORKDIR };
    Hello {
        version: orcaops_init::message::PROTOCOL_VERSION,
        lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        workdir: spec.workdir.clone().unwrap_or_else(|| base.to_owned()),
        make_workdir: spec.workdir.is_some() || !spec.inputs.is_empty(),
    }
}

/// How long from now until `deadline`; nothing when it has passed.
pub(crate) fn until(deadline: DateTime<Utc>) -> Duration {
    (deadline - Utc::now()).to_std().unwrap_or_default()
}
