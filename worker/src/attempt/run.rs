//! The order of an attempt's life.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use orcaops_common::bus::{Bus, Delivery, Lease};
use orcaops_common::domain::build::Build;
use orcaops_common::domain::control::RunningAttempt;
use orcaops_common::domain::event::EventBody;
use orcaops_common::domain::job::ArtifactsWhen;
use orcaops_common::domain::mask::Secrets;
use orcaops_common::domain::message::JobMessage;
use orcaops_common::domain::placement::CleanupPolicy;
use orcaops_common::domain::retry::RetryOn;
use orcaops_common::domain::run::{BuiltImage, EndCause};
use orcaops_common::domain::state::Refusal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::artifacts::Collection;
use super::build::Building;
use super::container::Held;
use super::log::JobLog;
use super::outcome::{Interrupt, Verdict};
use super::reporter::{Claim, Reporter};
use super::steps::Steps;
use super::{inputs, lease, prepare};
use crate::config::WorkerConfig;
use crate::engine::{ContainerPlan, Engine, Failure, ImageConfig, Labels, Session};
use crate::registry::{Registry, Stop, StopSignal, Stopper};

/// What all attempts of a worker share.
pub(crate) struct Context {
    pub(crate) config: WorkerConfig,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) registry: Registry,
    /// Bounds how many containers are being removed beside those that run.
    pub(crate) removals: Arc<Semaphore>,
}

/// Runs a delivered job to its end. `slot` is given back as soon as the job has a result; the container's
/// removal follows.
pub(crate) async fn run(context: Arc<Context>, delivery: Delivery, slot: OwnedSemaphorePermit) {
    let hold: Arc<dyn Lease> = Arc::from(delivery.lease);
    let job = match delivery.job {
        Ok(job) => job,
        Err(reason) => {
            tracing::error!(reason, "a job on the bus cannot be read and is dropped");
            lease::acknowledge(&*hold).await;
            return;
        }
    };
    let id = RunningAttempt { job_id: job.job_id.clone(), attempt: job.attempt(delivery.delivery) };
    let number = job.attempt_number(delivery.delivery);
    let span = tracing::info_span!("attempt", job.id = %id.job_id, attempt = %id.attempt);
    async {
        let registration = context.registry.register(id.clone());
        let stopper = registration.stopper.clone();
        let keeper = AbortOnDropHandle::new(tokio::spawn(lease::keep(
            Arc::clone(&hold),
            context.config.lease,
            stopper,
        )));

        let mut attempt = Attempt::new(&context, job, id, number, registration.signal.clone());
        let settled = attempt.settle(registration.stopper.clone()).await;
        if settled {
            lease::acknowledge(&*hold).await;
        }
        drop(keeper);
        attempt.clean_up(slot).await;
        drop(registration);
    }
    .instrument(span)
    .await;
}

struct Attempt<'a> {
    context: &'a Context,
    job: JobMessage,
    id: RunningAttempt,
    number: u32,
    deadline: DateTime<Utc>,
    /// Stops the attempt at the deadline.
    ttl: Option<AbortOnDropHandle<()>>,
    stop: StopSignal,
    reporter: Reporter,
    container: Held,
    /// Whether the container is kept: the job has a result, and its policy says so.
    keep: bool,
    steps: u32,
    artifacts: u32,
    /// What the user should know though it decided nothing.
    notes: Vec<String>,
    /// The image that the job built.
    built_image: Option<BuiltImage>,
}

impl<'a> Attempt<'a> {
    fn new(context: &'a Context, job: JobMessage, id: RunningAttempt, number: u32, stop: StopSignal) -> Self {
        let ttl = TimeDelta::seconds(job.spec.ttl_seconds.into());
        Self {
            context,
            deadline: job.ttl_expiry.unwrap_or_else(|| Utc::now() + ttl),
            ttl: None,
            reporter: Reporter::new(
                Arc::clone(&context.bus),
                id.clone(),
                number,
                context.config.name.clone(),
                stop.clone(),
            ),
            job,
            id,
            number,
            stop,
            container: Held::default(),
            keep: false,
            steps: 0,
            artifacts: 0,
            notes: Vec::new(),
            built_image: None,
        }
    }

    /// Runs the job and reports how it ended. `false` when this attempt counts no more, and its message is
    /// somebody else's.
    async fn settle(&mut self, stopper: Stopper) -> bool {
        let mut log = JobLog::open(
            Arc::clone(&self.context.bus),
            self.id.clone(),
            self.context.config.max_log_bytes,
            Arc::new(Secrets::of(&self.job.spec)),
        );
        let retry = &self.job.spec.retry;
        // Every delivery but the first follows an attempt whose worker fell silent.
        let is_lost = self.id.attempt.delivery > 1 && !retry.is_on(RetryOn::Infrastructure);
        let verdict = if self.number > self.job.max_attempts || is_lost {
            let spent = self.number - 1;
            Verdict::failed(
                EndCause::Lost,
                format!("{spent} attempts ended without a word from their workers"),
            )
        } else {
            match self.execute(&mut log, stopper).await {
                Ok(Execution::Ended(verdict)) => verdict,
                Ok(Execution::Refused(refusal)) => {
                    tracing::info!(?refusal, "the job is not to be run");
                    return true;
                }
                Err(interrupt) => {
                    let last = self.is_last() || !self.job.spec.retry.is_on(RetryOn::Infrastructure);
                    Verdict::interrupted(interrupt, last, self.job.spec.ttl_seconds)
                }
            }
        };
        log.settle().await;
        let verdict = verdict.map_words(|words| log.masks.words(words));
        match &verdict {
            Verdict::HandedBack { reason, .. } => log.system(format!("handed back: {reason}")).await,
            Verdict::Finished { error: Some(error), .. } if self.steps == 0 => {
                log.system(error.clone()).await
            }
            Verdict::Finished { .. } | Verdict::Silent => {}
        }
        tracing::info!(?verdict, "attempt ended");
        // First, as the store keeps only so many.
        let notes = log.note().into_iter().chain(std::mem::take(&mut self.notes));
        let notes: Vec<String> = notes.map(|note| log.masks.words(note)).collect();
        let image = self.built_image.take();
        let Some(event) = verdict.event(self.steps, self.artifacts, &notes, image) else { return false };
        log.end().await;
        let is_said = self.reporter.say(event).await.is_ok();
        if let (true, Verdict::Finished { status, .. }) = (is_said, &verdict) {
            self.keep = self.job.spec.cleanup_policy.keeps(*status);
        }
        is_said
    }

    async fn execute(&mut self, log: &mut JobLog, stopper: Stopper) -> Result<Execution, Interrupt> {
        self.end_at(self.deadline, &stopper);
        let refusals = self.context.config.policy.refusals(&self.job.spec);
        let plan = Arc::new(self.plan());
        let (spec, credentials) = (&self.job.spec, &self.context.config.policy.credentials);
        let pulling = prepare::Pulling {
            policy: spec.pull_policy,
            credential: spec.registry_auth.as_deref().and_then(|name| Some((name, credentials.get(name)?))),
        };
        let mut stop = self.stop.clone();
        let claim = async {
            let claimed = self.reporter.claim().await;
            // Breaks off a pull that has become pointless.
            if matches!(claimed, Ok(Claim::Refused(_))) {
                stopper.stop(Stop::Superseded);
            }
            claimed
        };
        let create = async {
            if !refusals.is_empty() {
                let reasons: Vec<_> = refusals.iter().map(ToString::to_string).collect();
                let failure = Failure::Permanent(EndCause::Policy);
                return Err(Interrupt::Failed { failure, reason: reasons.join("; ") });
            }
            if self.job.spec.build.is_some() {
                // The engine makes the containers of a build itself.
                return Ok(());
            }
            let (engine, held) = (&self.context.engine, &mut self.container);
            prepare::create(engine, &plan, &pulling, log, &mut stop, held).await
        };
        let (claimed, created) = tokio::join!(claim, create);
        match claimed? {
            Claim::Refused(refusal) => return Ok(Execution::Refused(refusal)),
            Claim::Granted { ttl_expiry: Some(deadline) } => self.end_at(deadline, &stopper),
            Claim::Granted { ttl_expiry: None } => {}
        }
        created?;
        if let Some(why) = self.stop.reason() {
            return Err(Interrupt::Stopped(why));
        }
        if let Some(build) = self.job.spec.build.clone() {
            return self.build(&build, log).await.map(Execution::Ended);
        }
        let sandbox_id = self.container.id().unwrap_or_default().to_owned();
        let engine = &self.context.engine;
        let start = async {
            let image = prepare::image_config(engine, &sandbox_id, &plan, &self.job.spec).await?;
            let hello = prepare::hello(&self.job.spec, image.user.as_deref());
            Ok::<_, Interrupt>((image, engine.start(&sandbox_id, &plan, hello).await?))
        };
        let start = async {
            tokio::select! {
                biased;
                why = self.stop.stopped() => Err(Interrupt::Stopped(why)),
                started = start => started,
            }
        };
        let (said, started) = tokio::join!(
            self.reporter.say(EventBody::ContainerCreated { sandbox_id: sandbox_id.clone() }),
            start,
        );
        said?;
        let (image, mut session) = started?;
        self.container.was_started = true;
        self.work(&mut session, image, log).await.map(Execution::Ended)
    }

    /// An image instead of commands.
    async fn build(&mut self, build: &Build, log: &mut JobLog) -> Result<Verdict, Interrupt> {
        let mut stop = self.stop.clone();
        let (context, spec) = (self.context, &self.job.spec);
        let mut building = Building::new(context, spec, log, &mut self.reporter, &mut stop);
        let built = building.run(build).await;
        self.steps = building.ended;
        self.built_image = building.image;
        built.map(|verdict| self.or_again(verdict))
    }

    /// Whether no attempt is left after this one.
    fn is_last(&self) -> bool {
        self.number >= self.job.max_attempts
    }

    /// This verdict, or the job handed back where another attempt is to follow it.
    fn or_again(&self, verdict: Verdict) -> Verdict {
        if self.is_last() { verdict } else { verdict.or_again(&self.job.spec.retry) }
    }

    /// Inputs, steps, artifacts.
    async fn work(
        &mut self,
        session: &mut Session,
        image: ImageConfig,
        log: &mut JobLog,
    ) -> Result<Verdict, Interrupt> {
        let mut stop = self.stop.clone();
        let spec = &self.job.spec;
        inputs::send(&self.context.bus, session, spec, &mut stop).await?;
        let mut steps = Steps {
            session,
            spec,
            env: prepare::env(spec, &self.id.job_id, self.number),
            log,
            reporter: &mut self.reporter,
            stop: &mut stop,
            image,
            ended: 0,
            notes: Vec::new(),
        };
        let verdict = steps.run().await;
        self.steps = steps.ended;
        self.notes.append(&mut steps.notes);
        let verdict = self.or_again(verdict?);
        // What an attempt leaves that another one follows would be in no record.
        if let Verdict::HandedBack { .. } = verdict {
            return Ok(verdict);
        }
        let is_wanted = match spec.artifacts_when {
            ArtifactsWhen::Always => true,
            ArtifactsWhen::Success => verdict == Verdict::success(),
            ArtifactsWhen::Failure => verdict != Verdict::success(),
        };
        if spec.artifacts.is_empty() || !is_wanted {
            return Ok(verdict);
        }
        // A cancelled job is to be gone soon; so is one whose time is over. Without its files it has not succeeded.
        if let Some(why) = self.stop.reason() {
            return if verdict == Verdict::success() { Err(Interrupt::Stopped(why)) } else { Ok(verdict) };
        }
        let mut collection = Collection {
            bus: &self.context.bus,
            attempt: &self.id,
            session,
            log,
            reporter: &mut self.reporter,
            stop: &mut stop,
            stall: self.context.config.artifacts_stall,
            reported: 0,
            notes: Vec::new(),
        };
        let collected = collection.run(&spec.artifacts).await;
        self.artifacts = collection.reported;
        self.notes.append(&mut collection.notes);
        match (collected, verdict) {
            (Ok(()), verdict) => Ok(verdict),
            (
                Err(Interrupt::Failed { reason, .. }),
                Verdict::Finished { status, end_cause, error: Some(error) },
            ) => {
                // The commands' own failure says more about the job.
                let error = Some(format!("{error}; {reason}"));
                Ok(Verdict::Finished { status, end_cause, error })
            }
            // Every command succeeded and ran once: that is not to be repeated for the sake of files.
            (Err(Interrupt::Failed { reason, .. }), _) => Ok(Verdict::failed(EndCause::Artifacts, reason)),
            (Err(stopped), _) => Err(stopped),
        }
    }

    /// Stops the attempt at that time, and not at the one said before.
    fn end_at(&mut self, deadline: DateTime<Utc>, stopper: &Stopper) {
        let stopper = stopper.clone();
        self.deadline = deadline;
        self.ttl = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(prepare::until(deadline)).await;
            stopper.stop(Stop::Ttl);
        })));
    }

    fn plan(&self) -> ContainerPlan {
        let (config, spec) = (&self.context.config, &self.job.spec);
        let keeps = spec.cleanup_policy != CleanupPolicy::AlwaysRemove;
        ContainerPlan {
            image: spec.sandbox.image.clone(),
            resources: config.policy.grant(&spec.sandbox.resources),
            labels: Labels {
                attempt: self.id.clone(),
                number: self.number,
                ttl_seconds: spec.ttl_seconds,
                fleet: config.fleet.clone(),
                worker: config.name.clone(),
                expires_at: self.deadline + prepare::EXPIRY_SLACK,
                kept_until: keeps.then(|| self.deadline + config.keep),
            },
            user_labels: spec.labels.clone(),
            network: spec.network.clone(),
            ports: spec.ports.clone(),
            publish: config.policy.publish,
            volumes: spec.volumes.clone(),
            cache: spec.cache.clone(),
            tmpfs: spec.tmpfs.clone(),
            as_root: spec.commands.iter().any(|command| command.user.is_some()),
            lease: prepare::init_lease(config.lease),
        }
    }

    /// Removes the container, or keeps it where its job wants that, and says so. The slot is free while that goes
    /// on, unless removals pile up.
    async fn clean_up(mut self, slot: OwnedSemaphorePermit) {
        if !self.container.is_there().await {
            return;
        }
        let permit = Arc::clone(&self.context.removals).acquire_owned().await;
        drop(slot);
        // An attempt that counts no more leaves nothing behind.
        let keep = self.keep && !self.stop.reason().is_some_and(Stop::is_silent);
        let status = self.container.end(&self.context.engine, keep).await;
        drop(permit);
        if let Some(status) = status {
            self.reporter.mention(EventBody::Cleaned { status }).await;
        }
    }
}

enum Execution {
    Ended(Verdict),
    Refused(Refusal),
}
