//! Builds an image instead of running commands.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use chrono::Utc;
use orcaops_common::bus::{Bus, BusError};
use orcaops_common::domain::build::Build;
use orcaops_common::domain::event::EventBody;
use orcaops_common::domain::job::JobSpec;
use orcaops_common::domain::log::{LogStream, MAX_CHUNK};
use orcaops_common::domain::run::{BuiltImage, EndCause, StepResult};
use tokio::sync::mpsc;

use super::capture::Capture;
use super::log::JobLog;
use super::masks::Shown;
use super::outcome::{Interrupt, Verdict};
use super::reporter::Reporter;
use super::run::Context;
use crate::engine::{BuildFailure, BuildPlan, BuildWord, Engine, Failure};
use crate::policy::Policy;
use crate::registry::{Stop, StopSignal};

/// How many words of the engine may wait for the log; with none left the engine has to wait.
const WORDS: usize = 16;

/// Builds an image.
pub(crate) struct Building<'a> {
    bus: &'a Arc<dyn Bus>,
    engine: &'a Engine,
    policy: &'a Policy,
    spec: &'a JobSpec,
    log: &'a mut JobLog,
    reporter: &'a mut Reporter,
    stop: &'a mut StopSignal,
    /// How many steps have been reported.
    pub(crate) ended: u32,
    /// The image, once there is one.
    pub(crate) image: Option<BuiltImage>,
}

/// What a step said.
#[derive(Default)]
struct Said {
    stdout: Capture,
    stderr: Capture,
    /// The image that the builder named.
    image: Option<String>,
    progress: String,
}

/// How a step ended that the engine takes for us.
enum Ended {
    Well,
    /// The builder or the registry said no.
    Refused(String),
}

impl<'a> Building<'a> {
    /// Nothing is built yet.
    pub(crate) fn new(
        context: &'a Context,
        spec: &'a JobSpec,
        log: &'a mut JobLog,
        reporter: &'a mut Reporter,
        stop: &'a mut StopSignal,
    ) -> Self {
        let Context { bus, engine, config, .. } = context;
        Self { bus, engine, policy: &config.policy, spec, log, reporter, stop, ended: 0, image: None }
    }

    /// Builds, names and pushes.
    pub(crate) async fn run(&mut self, build: &Build) -> Result<Verdict, Interrupt> {
        let context = match self.bus.get_object(&build.context).await {
            Ok((_, content)) => content,
            Err(BusError::NotFound { .. }) => {
                let reason = format!("the context {} is not there any more; send it again", build.context);
                return Err(Interrupt::Failed { failure: Failure::Permanent(EndCause::Artifacts), reason });
            }
            Err(e) => {
                let reason = format!("cannot fetch the context {}: {e}", build.context);
                return Err(Interrupt::Failed { failure: Failure::Transient(EndCause::Artifacts), reason });
            }
        };
        let engine = self.engine;
        let plan = self.plan(build);
        let mut said = Said::default();
        let work = |words| engine.build(plan, context, words);
        if let Ended::Refused(reason) = self.step(command(build), &mut said, work).await? {
            return Ok(Verdict::failed(EndCause::Exit, format!("the image could not be built: {reason}")));
        }
        let tag = build.tags.first().map_or("", String::as_str);
        let (id, size_bytes) = engine.image(said.image.as_deref().unwrap_or(tag)).await?;
        for tag in build.tags.iter().skip(1) {
            engine.tag(&id, tag).await?;
        }
        self.image = Some(BuiltImage { id, tags: build.tags.clone(), size_bytes, pushed: false });
        if build.push {
            return self.push(build).await;
        }
        Ok(Verdict::success())
    }

    async fn push(&mut self, build: &Build) -> Result<Verdict, Interrupt> {
        let engine = self.engine;
        for tag in &build.tags {
            let credential = self.policy.credential(self.spec, tag);
            let work = |words| engine.push(tag, credential, words);
            if let Ended::Refused(reason) =
                self.step(format!("docker push {tag}"), &mut Said::default(), work).await?
            {
                return Ok(Verdict::failed(EndCause::Exit, format!("{tag} could not be pushed: {reason}")));
            }
        }
        if let Some(image) = &mut self.image {
            image.pushed = true;
        }
        Ok(Verdict::success())
    }

    fn plan(&self, build: &Build) -> BuildPlan {
        let named = self.spec.registry_auth.as_ref();
        BuildPlan {
            dockerfile: build.dockerfile.clone(),
            tag: build.tags.first().cloned().unwrap_or_default(),
            args: build.args.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            resources: self.policy.grant(&self.spec.sandbox.resources),
            network: self.spec.network.clone(),
            credential: named.and_then(|name| self.policy.credentials.get(name)).cloned(),
        }
    }

    /// Lets the engine do something, carries what it says to the log, and reports it as a step.
    async fn step<W: Future<Output = Result<(), BuildFailure>>>(
        &mut self,
        command: String,
        said: &mut Said,
        work: impl FnOnce(mpsc::Sender<BuildWord>) -> W,
    ) -> Result<Ended, Interrupt> {
        let began = Instant::now();
        let (words, mut receiver) = mpsc::channel(WORDS);
        let mut work = pin!(work(words));
        let mut done = None;
        let ended = loop {
            tokio::select! {
                biased;
                why = self.stop.stopped() => break Err(Interrupt::Stopped(why)),
                ended = &mut work, if done.is_none() => done = Some(ended),
                word = receiver.recv() => match (word, done.take()) {
                    (Some(word), still) => {
                        done = still;
                        self.take(word, said).await;
                    }
                    // All that was said has been heard.
                    (None, Some(Ok(()))) => break Ok(Ended::Well),
                    (None, Some(Err(BuildFailure::Refused(reason)))) => break Ok(Ended::Refused(reason)),
                    (None, Some(Err(BuildFailure::Engine(error)))) => break Err(error.into()),
                    (None, None) => {}
                },
            }
        };
        let exit_code = match &ended {
            Ok(Ended::Well) => 0,
            Ok(Ended::Refused(reason)) => {
                let text = format!("{reason}\n");
                self.write(LogStream::Stderr, &text).await;
                said.stderr.push(text.as_bytes());
                1
            }
            Err(Interrupt::Stopped(Stop::Cancelled)) => 130,
            Err(Interrupt::Stopped(Stop::Ttl)) => 124,
            // It is done again elsewhere, or counts for nothing.
            Err(_) => return ended,
        };
        let result = StepResult {
            command,
            exit_code,
            stdout_bytes: said.stdout.total(),
            stderr_bytes: said.stderr.total(),
            stdout: std::mem::take(&mut said.stdout).into_text(),
            stderr: std::mem::take(&mut said.stderr).into_text(),
            duration_seconds: began.elapsed().as_secs_f64(),
            timestamp: Utc::now(),
            signal: None,
            cpu_seconds: None,
            max_rss_bytes: None,
            index: Some(self.ended),
            name: None,
            success: Some(exit_code == 0),
        };
        self.reporter.say(EventBody::StepEnded { index: self.ended, result: Box::new(result) }).await?;
        self.ended += 1;
        ended
    }

    async fn take(&mut self, word: BuildWord, said: &mut Said) {
        let text = match word {
            BuildWord::Image(id) => {
                said.image = Some(id);
                return;
            }
            BuildWord::Output(text) => text,
            BuildWord::Progress(text) if text == said.progress => return,
            BuildWord::Progress(text) => {
                said.progress.clone_from(&text);
                format!("{text}\n")
            }
        };
        said.stdout.push(text.as_bytes());
        self.write(LogStream::Stdout, &text).await;
    }

    async fn write(&mut self, stream: LogStream, text: &str) {
        for piece in text.as_bytes().chunks(MAX_CHUNK) {
            let data = Bytes::copy_from_slice(piece);
            self.log.output(Shown { step: Some(self.ended), stream, data }).await;
        }
    }
}

/// The step as one line for people. Values of `ARG`s may be meant for few eyes.
fn command(build: &Build) -> String {
    let tags = build.tags.iter().map(|tag| format!(" -t {tag}"));
    let args = build.args.keys().map(|name| format!(" --build-arg {name}"));
    let mut line: String = "docker build".to_owned();
    line.extend(tags.chain(args));
    format!("{line} -f {} -", build.dockerfile)
}
