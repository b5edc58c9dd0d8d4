//! A container whose PID 1 is init, spoken to frame by frame.

mod engine;

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt as _};
use orcaops_init::codec::{Decoder, encode};
use orcaops_init::message::{
    ArtifactBegin, ArtifactEnd, Collect, Collected, FromInit, Hello, PROTOCOL_VERSION, StepEnd, StepStart,
    Stream as Std, ToInit,
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// How long anything that a test waits for may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A lease that no test outlives, so that tests need not ping.
const LONG_LEASE: Duration = Duration::from_secs(600);

/// What a test wants of its container.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Memory limit in bytes.
    pub memory: Option<i64>,
    /// Who init runs as; root when absent.
    pub user: Option<String>,
    /// How long init goes on when it hears nothing.
    pub lease: Duration,
    /// The greeting.
    pub hello: Hello,
}

impl Default for Plan {
    fn default() -> Self {
        let workdir = "/work".to_owned();
        let hello = Hello { version: PROTOCOL_VERSION, workdir, make_workdir: true, owner: None };
        Self { memory: None, user: None, lease: LONG_LEASE, hello }
    }
}

/// What a step wrote, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// What earlier steps' background processes wrote meanwhile, on either stream.
    pub background: Vec<u8>,
    /// Its end.
    pub end: StepEnd,
}

impl Ran {
    /// Its standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A file that init sent.
#[derive(Debug)]
pub struct Artifact {
    /// Its announcement.
    pub begin: ArtifactBegin,
    /// Its bytes.
    pub data: Vec<u8>,
    /// What was said at its end.
    pub end: ArtifactEnd,
}

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A running container with init as PID 1. Removed with its volume when dropped, also by a failing test.
pub struct InitContainer {
    docker: Docker,
    names: Names,
    input: Option<Input>,
    output: Option<Output>,
    decoder: Decoder,
}

/// What must not be left behind.
struct Names {
    volume: String,
    helper: String,
    container: String,
}

impl Names {
    fn new() -> Self {
        let id = uuid::Uuid::new_v4();
        Self {
            volume: format!("orcaops-test-{id}"),
            helper: format!("orcaops-test-{id}-helper"),
            container: format!("orcaops-test-{id}"),
        }
    }
}

impl InitContainer {
    /// Starts a container and greets its init, with nothing special about either.
    pub async fn start() -> Result<Self> {
        Self::start_as(Plan::default()).await
    }

    /// Starts a container and greets its init.
    pub async fn start_as(plan: Plan) -> Result<Self> {
        let mut container = Self::start_silently(&plan).await?;
        container.send(&ToInit::Hello(plan.hello)).await?;
        match container.next().await? {
            FromInit::Hello(ready) if ready.version == PROTOCOL_VERSION => Ok(container),
            other => bail!("init answered the greeting with {other:?}"),
        }
    }

    /// Starts a container without a greeting.
    pub async fn start_silently(plan: &Plan) -> Result<Self> {
        let docker = Docker::connect_with_local_defaults()?.negotiate_version().await?;
        let names = Names::new();
        // From here on, whatever fails, dropping it removes what was made so far.
        let mut container = Self { docker, names, input: None, output: None, decoder: Decoder::new() };
        container.fill_volume().await?;
        container.create(plan).await?;
        let options =
            AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).stderr(true).build();
        let attached = container.docker.attach_container(&container.names.container, Some(options)).await?;
        container.input = Some(attached.input);
        container.output = Some(attached.output);
        container.docker.start_container(&container.names.container, None).await?;
        Ok(container)
    }

    /// Says something to init.
    pub async fn send(&mut self, message: &ToInit) -> Result<()> {
        let mut frame = Vec::new();
        encode(message, &mut frame);
        self.send_raw(&frame).await
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        let input = self.input.as_mut().context("the container was abandoned")?;
        timeout(PATIENCE, async {
            input.write_all(bytes).await?;
            input.flush().await
        })
        .await
        .context("init does not read")??;
        Ok(())
    }

    /// What init says next.
    pub async fn next(&mut self) -> Result<FromInit> {
        self.next_or_end().await?.context("init has ended")
    }

    /// What init says next, or `None` when it has ended.
    pub async fn next_or_end(&mut self) -> Result<Option<FromInit>> {
        loop {
            if let Some(message) = self.decoder.decode()? {
                return Ok(Some(message));
            }
            let output = self.output.as_mut().context("the container was abandoned")?;
            match timeout(PATIENCE, output.next()).await.context("init says nothing")? {
                Some(Ok(LogOutput::StdOut { message })) => self.decoder.push(&message),
                Some(Ok(other)) => bail!("init wrote outside of its frames: {other}"),
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(None),
            }
        }
    }

    /// Runs a step to its end.
    pub async fn run(&mut self, step: StepStart) -> Result<Ran> {
        let index = step.index;
        self.send(&ToInit::Step(step)).await?;
        self.finish(index).await
    }

    /// Reads until the end of a step that was begun.
    pub async fn finish(&mut self, index: u32) -> Result<Ran> {
        let (mut stdout, mut stderr, mut background) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match self.next().await? {
                FromInit::Output(o) => match (o.step, o.stream) {
                    (None, _) => background.extend(o.data),
                    (Some(step), _) if step != index => bail!("output of step {step} while {index} ran"),
                    (Some(_), Std::Stdout) => stdout.extend(o.data),
                    (Some(_), Std::Stderr) => stderr.extend(o.data),
                },
                FromInit::StepEnded(end) if end.index == index => {
                    return Ok(Ran { stdout, stderr, background, end });
                }
                FromInit::Pong => {}
                other => bail!("init said {other:?} while step {index} ran"),
            }
        }
    }

    /// Collects artifacts.
    pub async fn collect(&mut self, collect: Collect) -> Result<(Vec<Artifact>, Collected)> {
        self.send(&ToInit::Collect(collect)).await?;
        let (mut artifacts, mut open) = (Vec::new(), None);
        loop {
            match (self.next().await?, open.take()) {
                (FromInit::ArtifactBegin(begin), None) => open = Some((begin, Vec::new())),
                (FromInit::ArtifactData(piece), Some((begin, mut data))) => {
                    data.extend(piece);
                    open = Some((begin, data));
                }
                (FromInit::ArtifactEnd(end), Some((begin, data))) => {
                    artifacts.push(Artifact { begin, data, end })
                }
                (FromInit::Collected(collected), None) => return Ok((artifacts, collected)),
                (FromInit::Output(_), same) => open = same,
                (other, _) => bail!("init said {other:?} while it collected"),
            }
        }
    }

    /// Lets go of the container's input and output, as a worker's death does.
    pub fn abandon(&mut self) {
        self.input = None;
        self.output = None;
    }
}
