//! Runs a job's steps, one after the other, until one fails.

use std::time::Duration;

use chrono::Utc;
use orcaops_common::domain::event::EventBody;
use orcaops_common::domain::job::{JobCommand, JobSpec, When};
use orcaops_common::domain::log::LogStream;
use orcaops_common::domain::run::StepResult;
use orcaops_init::message::{End, FromInit, Grace, Output, StepEnd, StepStart, Stream, ToInit};
use tokio::time::{Instant, sleep_until};

use super::capture::Capture;
use super::log::JobLog;
use super::masks::{Masks, Shown};
use super::outcome::{Interrupt, Verdict, exit_code};
use super::prepare::workdir;
use super::reporter::Reporter;
use crate::engine::{EngineError, ImageConfig, Session, unexpected};
use crate::registry::{Stop, StopSignal};

/// How long a step that is to end has between the polite signal and the impolite one.
const GRACE: Duration = Duration::from_secs(3);
/// How much longer than agreed init may take to end a step, until the container is ended from outside.
const OVERTIME: Duration = Duration::from_secs(10);
/// The longest command that a result repeats, in bytes; the spec has it whole.
const MAX_COMMAND: usize = 16 * 1024;

/// Runs steps in a container.
pub(crate) struct Steps<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) spec: &'a JobSpec,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) log: &'a mut JobLog,
    pub(crate) reporter: &'a mut Reporter,
    pub(crate) stop: &'a mut StopSignal,
    /// What the image says of itself, as far as steps must know it.
    pub(crate) image: ImageConfig,
    /// How many steps have been reported.
    pub(crate) ended: u32,
    /// What the user should know of steps whose failure decided nothing.
    pub(crate) notes: Vec<String>,
}

impl Steps<'_> {
    /// Runs the steps whose time comes. What failed first, or success.
    pub(crate) async fn run(&mut self) -> Result<Verdict, Interrupt> {
        let spec = self.spec;
        let mut failed = None;
        for (index, command) in (0u32..).zip(&spec.commands) {
            let is_due = match command.when {
                When::OnSuccess => failed.is_none(),
                When::OnFailure => failed.is_some(),
                When::Always => true,
            };
            if !is_due {
                continue;
            }
            if let Some(why) = self.stop.reason() {
                return Err(Interrupt::Stopped(why));
            }
            let mut output = StepOutput::default();
            self.log.begin_step(index);
            let end = self.run_one(index, command, &mut output).await?;
            let stop = self.stop.reason();
            let verdict = Verdict::of_step(&end, command, stop, spec.ttl_seconds);
            if let End::NotStarted { error, .. } = &end.end {
                let data = format!("{error}\n").into_bytes();
                self.output(index, Output { step: Some(index), stream: Stream::Stderr, data }, &mut output)
                    .await;
            }
            for shown in self.log.end_step() {
                self.keep(index, shown, &mut output).await;
            }
            let result = Box::new(result(index, command, &self.log.masks, &end, stop, output));
            self.reporter.say(EventBody::StepEnded { index, result }).await?;
            self.ended += 1;
            match verdict {
                None => {}
                // Nothing follows a job that was told to stop.
                Some(verdict) if end.end == End::Cancelled => return Ok(verdict),
                Some(verdict) if command.continue_on_error => {
                    let reason = verdict.error().unwrap_or_default();
                    self.notes.push(format!("{reason}; the job went on, as `continue_on_error` says"));
                }
                Some(verdict) if failed.is_some() => {
                    let reason = verdict.error().unwrap_or_default();
                    self.notes.push(format!("{reason}, after the job had failed already"));
                }
                Some(verdict) => failed = Some(verdict),
            }
        }
        Ok(failed.unwrap_or_else(Verdict::success))
    }

    async fn run_one(
        &mut self,
        index: u32,
        command: &JobCommand,
        output: &mut StepOutput,
    ) -> Result<StepEnd, Interrupt> {
        self.session.send(ToInit::Step(self.step(index, command))).await?;
        let timeout = Duration::from_secs(command.timeout_seconds.into());
        let mut deadline = Instant::now() + timeout + GRACE + OVERTIME;
        let mut told = None;
        loop {
            tokio::select! {
                biased;
                why = self.stop.stronger_than(told) => {
                    if why.is_silent() || why == Stop::Drain {
                        return Err(Interrupt::Stopped(why));
                    }
                    if told.is_none() {
                        let grace = Grace { grace_ms: millis(GRACE) };
                        self.session.send(ToInit::Cancel(grace)).await?;
                        deadline = Instant::now() + GRACE + OVERTIME;
                    }
                    told = Some(why);
                }
                () = sleep_until(deadline) => {
                    return Err(match told {
                        Some(why) => Interrupt::Stopped(why),
                        None => EngineError::Session(format!("step {} did not end when it had to", index + 1)).into(),
                    });
                }
                () = at(self.log.masks.release_at()) => {
                    for shown in self.log.masks.release(Instant::now()) {
                        self.keep(index, shown, output).await;
                    }
                }
                message = self.session.next() => match message? {
                    FromInit::Output(piece) => self.output(index, piece, output).await,
                    // Init is not trusted: it can't cancel what nobody asked it to.
                    FromInit::StepEnded(end) if end.end == End::Cancelled && told.is_none() => {
                        return Err(unexpected(&FromInit::StepEnded(end)).into());
                    }
                    FromInit::StepEnded(end) if end.index == index => return Ok(end),
                    other => return Err(unexpected(&other).into()),
                },
            }
        }
    }

    fn step(&self, index: u32, command: &JobCommand) -> StepStart {
        let argv = match (&command.command, &command.argv) {
            (None, Some(argv)) => argv.clone(),
            (None, None) if command.image_command => self.image.command.clone(),
            (shell, _) => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), shell.clone().unwrap_or_default()]
            }
        };
        let cwd = command.cwd.as_deref().or(self.spec.workdir.as_deref());
        let cwd = cwd.or_else(|| self.image.workdir.as_deref().filter(|_| command.image_command));
        let cwd = cwd.unwrap_or_else(|| workdir(self.spec));
        let own = command.env.iter();
        StepStart {
            index,
            argv,
            cwd: cwd.to_owned(),
            env: self.env.iter().cloned().chain(own.map(|(k, v)| (k.clone(), v.clone()))).collect(),
            user: command.user.clone().or_else(|| self.image.user.clone()),
            timeout_ms: u64::from(command.timeout_seconds) * 1000,
            grace_ms: millis(GRACE),
        }
    }

    async fn output(&mut self, index: u32, piece: Output, output: &mut StepOutput) {
        let shown = self.log.mask(piece);
        self.keep(index, shown, output).await;
    }

    async fn keep(&mut self, index: u32, shown: Shown, output: &mut StepOutput) {
        // What an earlier step left running is in the log, and in no step's record.
        if shown.step == Some(index) {
            match shown.stream {
                LogStream::Stderr => output.stderr.push(&shown.data),
                LogStream::Stdout | LogStream::System => output.stdout.push(&shown.data),
            }
        }
        self.log.output(shown).await;
    }
}

/// Waits until then; for ever when there is nothing to wait for.
async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

#[derive(Default)]
struct StepOutput {
    stdout: Capture,
    stderr: Capture,
}

fn result(
    index: u32,
    command: &JobCommand,
    masks: &Masks,
    end: &StepEnd,
    stop: Option<Stop>,
    output: StepOutput,
) -> StepResult {
    let (exit_code, signal) = exit_code(&end.end, stop);
    let success = matches!(end.end, End::Exited(code) if command.is_success(code));
    StepResult {
        command: shortened(display(command, masks)),
        exit_code,
        stdout_bytes: output.stdout.total(),
        stderr_bytes: output.stderr.total(),
        stdout: output.stdout.into_text(),
        stderr: output.stderr.into_text(),
        duration_seconds: seconds(end.duration_us),
        timestamp: Utc::now(),
        signal,
        cpu_seconds: Some(seconds(end.cpu_us)),
        max_rss_bytes: Some(end.max_rss_bytes),
        index: Some(index),
        name: command.name.clone().map(|name| masks.words(name)),
        success: Some(success),
    }
}

/// A command as its result repeats it. Arguments are masked before they are quoted, which may change them.
fn display(command: &JobCommand, masks: &Masks) -> String {
    match &command.argv {
        Some(argv) if command.command.is_none() => {
            JobCommand::argv(argv.iter().map(|argument| masks.words(argument.clone()))).display()
        }
        _ => masks.words(command.display()),
    }
}

fn shortened(mut command: String) -> String {
    if command.len() > MAX_COMMAND {
        command.truncate(command.floor_char_boundary(MAX_COMMAND));
        command.push_str(" [...]");
    }
    command
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}
