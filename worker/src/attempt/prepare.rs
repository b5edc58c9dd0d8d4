//! Gets an attempt its container: image, limits, labels, network, inputs' folder.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use orcaops_common::config::Credential;
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::job::{DEFAULT_WORKDIR, JobSpec};
use orcaops_common::domain::placement::PullPolicy;
use orcaops_common::domain::run::EndCause;
use orcaops_init::message::Hello;
use tokio::time::timeout;

use super::container::Held;
use super::log::JobLog;
use super::outcome::Interrupt;
use crate::engine::{ContainerPlan, Engine, EngineError, Failure, ImageConfig, Wanted};
use crate::registry::StopSignal;

/// How long after its TTL any worker of the fleet may remove a job's container.
pub(crate) const EXPIRY_SLACK: Duration = Duration::from_secs(10 * 60);

/// How often a job's log says how far a pull is.
const PULL_NEWS: Duration = Duration::from_secs(3);

/// Makes the container, pulling its image when it is not there. What is made or in the making is in `container`,
/// whatever happens next.
pub(crate) async fn create(
    engine: &Arc<Engine>,
    plan: &Arc<ContainerPlan>,
    pull: &Pulling<'_>,
    log: &JobLog,
    stop: &mut StopSignal,
    container: &mut Held,
) -> Result<(), Interrupt> {
    tokio::select! {
        biased;
        why = stop.stopped() => Err(Interrupt::Stopped(why)),
        made = make(engine, plan, pull, log, container) => Ok(made?),
    }
}

async fn make(
    engine: &Arc<Engine>,
    plan: &Arc<ContainerPlan>,
    pulling: &Pulling<'_>,
    log: &JobLog,
    container: &mut Held,
) -> Result<(), EngineError> {
    if pulling.policy == PullPolicy::Always {
        pull(engine, &plan.image, pulling, log).await?;
    }
    if container.make(engine, plan).await? {
        return Ok(());
    }
    if pulling.policy == PullPolicy::Never {
        let reason =
            "it is not on the worker's host, and /pull_policy is `never`; pull it there, or choose another";
        return Err(EngineError::refused(format!("use image {}", plan.image), reason, EndCause::Image));
    }
    if pulling.policy == PullPolicy::IfNotPresent {
        pull(engine, &plan.image, pulling, log).await?;
        if container.make(engine, plan).await? {
            return Ok(());
        }
    }
    Err(EngineError::pull(&plan.image, None, "not found after it was pulled"))
}

/// When and how an image is pulled.
pub(crate) struct Pulling<'a> {
    /// When.
    pub(crate) policy: PullPolicy,
    /// What the registry is shown, with the name that the job knows it by.
    pub(crate) credential: Option<(&'a str, &'a Credential)>,
}

/// Waits for a pull, and says in the job's log how it goes.
async fn pull(engine: &Engine, image: &str, pulling: &Pulling<'_>, log: &JobLog) -> Result<(), EngineError> {
    log.system(format!("pulling image {image}")).await;
    let (name, credential) = pulling.credential.unzip();
    let wanted = Wanted {
        image: image.to_owned(),
        credential: name.map(str::to_owned),
        always: pulling.policy == PullPolicy::Always,
    };
    let mut pull = engine.pull(&wanted, credential);
    let mut last = None;
    loop {
        match timeout(PULL_NEWS, pull.done()).await {
            Ok(done) => {
                log.system(done?).await;
                return Ok(());
            }
            Err(_) => {
                let progress = pull.progress();
                if progress != last
                    && let Some(words) = &progress
                {
                    log.system(format!("pulling image {image}: {words}")).await;
                }
                last = progress;
            }
        }
    }
}

/// What the image says of itself, as far as the job's steps must know it.
pub(crate) async fn image_config(
    engine: &Engine,
    container: &str,
    plan: &ContainerPlan,
    spec: &JobSpec,
) -> Result<ImageConfig, Interrupt> {
    let runs_image = spec.commands.iter().any(|command| command.image_command);
    if !plan.as_root && !runs_image {
        return Ok(ImageConfig::default());
    }
    let mut image = engine.image_config(container).await?;
    if runs_image && image.command.is_empty() {
        let reason = format!("image {} has neither an entrypoint nor a command; name a command", plan.image);
        return Err(Interrupt::Failed { failure: Failure::Permanent(EndCause::Image), reason });
    }
    if !plan.as_root {
        // Init is that user already, and could become no other.
        image.user = None;
    }
    Ok(image)
}

/// How long init goes on without a word from a worker whose hold on the job lasts for `lease`.
///
/// The hold is extended every third of the lease, init is pinged more often. A worker that freezes just before an
/// extension has pinged init a third of the lease after the last one: init must end everything within the rest,
/// before the job goes to another worker. Half a lease leaves a sixth to spare.
pub(crate) fn init_lease(lease: Duration) -> Duration {
    lease / 2
}

/// What the worker greets init with. `image_user` is the image's own user where init is root in its stead.
pub(crate) fn hello(spec: &JobSpec, image_user: Option<&str>) -> Hello {
    Hello {
        version: orcaops_init::message::PROTOCOL_VERSION,
        workdir: workdir(spec).to_owned(),
        make_workdir: spec.workdir.is_some() || !spec.inputs.is_empty(),
        owner: owner(spec).or(image_user).map(str::to_owned),
    }
}

/// The one user that all commands name, if they do.
fn owner(spec: &JobSpec) -> Option<&str> {
    let first = spec.commands.first()?.user.as_deref()?;
    spec.commands.iter().all(|command| command.user.as_deref() == Some(first)).then_some(first)
}

/// Where inputs go, where steps start that name no folder, and what relative paths are relative to.
pub(crate) fn workdir(spec: &JobSpec) -> &str {
    let base = if spec.inputs.is_empty() { "/" } else { DEFAULT_WORKDIR };
    spec.workdir.as_deref().unwrap_or(base)
}

/// The job's environment, and what lets a command know which attempt it is.
pub(crate) fn env(spec: &JobSpec, job: &JobId, number: u32) -> Vec<(String, String)> {
    let own =
        [("ORCAOPS_JOB_ID".to_owned(), job.to_string()), ("ORCAOPS_ATTEMPT".to_owned(), number.to_string())];
    let spec = spec.sandbox.env.iter().map(|(k, v)| (k.clone(), v.clone()));
    own.into_iter().chain(spec).collect()
}

/// How long from now until `deadline`; nothing when it has passed.
pub(crate) fn until(deadline: DateTime<Utc>) -> Duration {
    (deadline - Utc::now()).to_std().unwrap_or_default()
}
