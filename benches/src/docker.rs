//! What a user would type instead.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use orcaops_tests::docker::test_image;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// How long a `docker` command takes, from start to end.
pub(crate) async fn timed(args: &[&str]) -> Result<Duration> {
    let started = Instant::now();
    let status =
        Command::new("docker").args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().await?;
    ensure!(status.success(), "docker {args:?}: {status}");
    Ok(started.elapsed())
}

/// How long `docker run --rm` of a shell command takes.
pub(crate) async fn run(command: &str) -> Result<Duration> {
    timed(&["run", "--rm", &test_image(), "/bin/sh", "-c", command]).await
}

/// A container to `docker exec` into; removed by [`Running::end`].
pub(crate) struct Running {
    id: String,
}

impl Running {
    pub(crate) async fn start() -> Result<Self> {
        let output = Command::new("docker")
            .args(["run", "-d", "--rm", &test_image(), "/bin/sh", "-c", "sleep 3600"])
            .output()
            .await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { id: String::from_utf8(output.stdout)?.trim().to_owned() })
    }

    pub(crate) async fn exec(&self, command: &str) -> Result<Duration> {
        timed(&["exec", &self.id, "/bin/sh", "-c", command]).await
    }

    pub(crate) async fn end(self) -> Result<()> {
        timed(&["rm", "-f", &self.id]).await.map(drop)
    }
}

/// How many bytes `docker run` brings through a pipe, and how long that takes.
pub(crate) async fn piped(command: &str) -> Result<(u64, Duration)> {
    let started = Instant::now();
    let mut child = Command::new("docker")
        .args(["run", "--rm", "--log-driver", "none", &test_image(), "/bin/sh", "-c", command])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdout = child.stdout.take().context("no pipe")?;
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match stdout.read(&mut buffer).await? {
            0 => break,
            n => bytes += n as u64,
        }
    }
    ensure!(child.wait().await?.success(), "docker run failed");
    Ok((bytes, started.elapsed()))
}

/// How long `docker cp` takes to bring a file here that a command has made in a container.
pub(crate) async fn copied(command: &str, file: &str) -> Result<Duration> {
    let container = Running::start().await?;
    let copied = async {
        container.exec(command).await?;
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("file");
        let target = target.to_str().context("a path that is no text")?;
        timed(&["cp", &format!("{}:{file}", container.id), target]).await
    };
    let copied = copied.await;
    container.end().await?;
    copied
}
