//! One machine with nothing beside it but Docker: a home folder, and the program over it.

use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::client::Client;
use crate::docker::FleetContainers;
use crate::process::{Process, command, free_port};

/// A home folder of its own, an address of its own, and containers that are gone when it is dropped.
pub struct Laptop {
    /// The home folder.
    pub home: TempDir,
    /// Talks to the server that [`dev`](Laptop::dev) starts.
    pub client: Client,
    /// The containers of its jobs.
    pub containers: Arc<FleetContainers>,
    listen: String,
    fleet: String,
}

impl Laptop {
    /// A new one; nothing runs yet.
    pub async fn new() -> Result<Self> {
        let fleet = format!("test-{}", uuid::Uuid::new_v4().simple());
        let listen = format!("127.0.0.1:{}", free_port()?);
        let client = Client::new(&listen);
        let containers = Arc::new(FleetContainers::new(&fleet).await?);
        Ok(Self { home: tempfile::tempdir()?, client, containers, listen, fleet })
    }

    /// The port of its server, on loopback.
    pub fn port(&self) -> u16 {
        self.listen.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// The environment of every command on it.
    pub fn env(&self) -> [(&str, &str); 3] {
        [
            ("ORCAOPS_HOME", self.home.path().to_str().unwrap_or_default()),
            ("ORCAOPS_LISTEN", &self.listen),
            ("ORCAOPS_FLEET", &self.fleet),
        ]
    }

    /// Where its server listens.
    pub fn address(&self) -> &str {
        &self.listen
    }

    /// Starts a server with that many slots.
    pub async fn dev(&self, slots: &str) -> Result<Process> {
        self.dev_with(&["--slots", slots]).await
    }

    /// Starts a server with these flags.
    pub async fn dev_with(&self, flags: &[&str]) -> Result<Process> {
        let log = self.home.path().join("dev.log");
        let process = Process::start(&[&["dev"], flags].concat(), &self.env(), &log)?;
        self.client.ready().await.with_context(|| process.log())?;
        Ok(process)
    }

    /// Runs a command to its end.
    pub fn orcaops(&self, args: &[&str]) -> Result<Output> {
        Ok(command(args, &self.env()).output()?)
    }
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Fails unless the command exited with that code.
pub fn exits(output: &Output, code: i32) -> Result<()> {
    ensure!(
        output.status.code() == Some(code),
        "{} instead of {code}\nstdout: {}\nstderr: {}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(())
}
