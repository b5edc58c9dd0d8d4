//! A nats-server of a test's own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::wait::until;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);
/// How often another port is tried when somebody else was quicker.
const TRIES: u32 = 5;
/// Runs the server, ends it at end-of-file or a line, and removes its folder unless the line says to keep it:
/// the pipe breaks also when the test is killed.
const SUPERVISE: &str = r#"
"$@" & server=$!
read word
kill -9 $server
wait $server 2> /dev/null
[ "$word" = keep ] || rm -rf "$0"
"#;

/// A server with JetStream. It ends, and its data with it, when this is dropped or the test dies.
pub struct Nats {
    url: String,
    port: u16,
    options: Vec<String>,
    data: TempDir,
    supervisor: Option<Child>,
}

impl Nats {
    /// Starts a server.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with more options on its command line.
    pub async fn start_with(options: &[&str]) -> Self {
        let mut nats = None;
        for _ in 0..TRIES {
            match Self::try_start(options).await {
                Ok(started) => return started,
                Err(e) => nats = Some(e),
            }
        }
        panic!("no nats-server could be started: {nats:?}; `make test` installs it")
    }

    async fn try_start(options: &[&str]) -> Result<Self> {
        let port = crate::process::free_port()?;
        let url = format!("nats://127.0.0.1:{port}");
        let options = options.iter().map(|&o| o.to_owned()).collect();
        let mut nats = Self { url, port, options, data: tempfile::tempdir()?, supervisor: None };
        nats.up().await?;
        Ok(nats)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server at once, and starts it again with the data that it had.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop();
        self.resume().await
    }

    /// Ends the server at once, and keeps its data.
    pub fn stop(&mut self) {
        self.down("keep\n");
    }

    /// Starts the stopped server again with the data that it had.
    pub async fn resume(&mut self) -> Result<()> {
        self.up().await
    }

    /// Ends the server at once, and starts it again with nothing.
    pub async fn wipe_and_restart(&mut self) -> Result<()> {
        self.down("");
        self.data = tempfile::tempdir()?;
        self.up().await
    }

    async fn up(&mut self) -> Result<()> {
        let log = std::fs::File::create(self.data.path().join("server.log"))?;
        let data = self.data.path().to_str().context("the folder's name is not text")?;
        let server = server();
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISE])
            .arg(data)
            .arg(&server)
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd", data])
            .args(&self.options)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", server.display()))?;
        let ready = until("the server answers", START, async || {
            std::fs::read_to_string(self.data.path().join("server.log"))
                .is_ok_and(|log| log.contains("Server is ready"))
        })
        .await;
        if let Err(e) = ready {
            let log = std::fs::read_to_string(self.data.path().join("server.log")).unwrap_or_default();
            drop(supervisor.stdin.take());
            supervisor.wait()?;
            return Err(e.context(log));
        }
        self.supervisor = Some(supervisor);
        Ok(())
    }

    fn down(&mut self, word: &str) {
        if let Some(mut supervisor) = self.supervisor.take() {
            if let Some(mut stdin) = supervisor.stdin.take() {
                let _ = stdin.write_all(word.as_bytes());
            }
            let _ = supervisor.wait();
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.down("");
    }
}

/// Where the program is: named by the environment, installed by `make test`, or on the path.
fn server() -> PathBuf {
    if let Some(named) = std::env::var_os("ORCAOPS_NATS_SERVER") {
        return named.into();
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/nats-server");
    if installed.is_file() { installed } else { "nats-server".into() }
}
