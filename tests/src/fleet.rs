//! A whole fleet on this machine: Postgres, NATS, one API and workers, each a process of its own.

use std::sync::Arc;

use anyhow::Result;
use tempfile::TempDir;

use crate::client::Client;
use crate::docker::FleetContainers;
use crate::nats::Nats;
use crate::postgres;
use crate::process::{Process, free_port};

/// How long a silent worker's jobs wait for another, in seconds. A sixth of it is what a busy machine may take to end
/// a frozen worker's container.
pub const LEASE_SECONDS: &str = "12";

/// A fleet. Everything it started ends when it is dropped.
pub struct Fleet {
    /// Its API.
    pub api: Process,
    /// A client of that API.
    pub client: Client,
    /// Its bus.
    pub nats: Nats,
    /// Its containers.
    pub containers: Arc<FleetContainers>,
    name: String,
    listen: String,
    database: String,
    home: TempDir,
}

impl Fleet {
    /// Starts Postgres, NATS and the API; no workers yet.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same, with more environment for the API.
    pub async fn start_with(env: &[(&str, &str)]) -> Result<Self> {
        Self::start_on(postgres::fresh_database().await, env).await
    }

    /// The same, on a database that is there already.
    pub async fn start_on(database: String, env: &[(&str, &str)]) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let nats = Nats::start().await;
        let name = format!("test-{}", uuid::Uuid::new_v4().simple());
        let containers = Arc::new(FleetContainers::new(&name).await?);
        let listen = format!("127.0.0.1:{}", free_port()?);
        let client = Client::new(&listen);
        let api = start_api(&listen, &database, nats.url(), &home, env)?;
        client.ready().await?;
        Ok(Self { api, client, nats, containers, name, listen, database, home })
    }

    /// Starts the API again, after it ended or was killed.
    pub async fn restart_api(&mut self) -> Result<()> {
        self.api = start_api(&self.listen, &self.database, self.nats.url(), &self.home, &[])?;
        self.client.ready().await
    }

    /// Starts a worker.
    pub fn worker(&self, name: &str, slots: u32) -> Result<Process> {
        self.worker_with(name, slots, &[])
    }

    /// The same, with more environment.
    pub fn worker_with(&self, name: &str, slots: u32, env: &[(&str, &str)]) -> Result<Process> {
        let log = self.home.path().join(format!("{name}.log"));
        let slots = slots.to_string();
        let args = ["worker", "--name", name, "--slots", &slots];
        let home = self.home.path().join(name);
        let own = [
            ("ORCAOPS_NATS_URL", self.nats.url()),
            ("ORCAOPS_LEASE_SECONDS", LEASE_SECONDS),
            ("ORCAOPS_FLEET", &self.name),
            ("ORCAOPS_HOME", home.to_str().unwrap_or_default()),
        ];
        Process::start(&args, &[&own[..], env].concat(), &log)
    }

    /// The connection string of its database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The folder that the API mirrors artifacts into.
    pub fn artifacts(&self) -> std::path::PathBuf {
        self.home.path().join("api/artifacts")
    }

    /// The API's address, `host:port`.
    pub fn address(&self) -> &str {
        &self.listen
    }
}

fn start_api(
    listen: &str,
    database: &str,
    nats: &str,
    home: &TempDir,
    env: &[(&str, &str)],
) -> Result<Process> {
    let folder = home.path().join("api");
    let mut all = vec![
        ("ORCAOPS_LISTEN", listen),
        ("ORCAOPS_DATABASE_URL", database),
        ("ORCAOPS_NATS_URL", nats),
        ("ORCAOPS_HOME", folder.to_str().unwrap_or_default()),
    ];
    all.extend_from_slice(env);
    Process::start(&["api"], &all, &home.path().join("api.log"))
}
