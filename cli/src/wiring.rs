//! Puts the parts together: which store, which bus, which of API and worker, in this process.
//!
//! The one place that knows the difference between a laptop and a fleet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use orcaops_api::{Api, ApiConfig};
use orcaops_common::bus::Bus;
use orcaops_common::bus::in_process::InProcessBus;
use orcaops_common::bus::nats::NatsBus;
use orcaops_common::config::{ConfigError, Credentials};
use orcaops_common::domain::id::{JobId, PoolName, WorkerName};
use orcaops_common::domain::job::JobSpec;
use orcaops_common::domain::run::CleanupStatus;
use orcaops_common::store::sqlite::SqliteStore;
use orcaops_common::store::{self, Store};
use orcaops_worker::{Policy, Worker, WorkerConfig};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::settings::Settings;
use crate::startup::{StartError, patiently};

/// The in-process bus dies with its process, so little is waited for before its jobs are dispatched again.
const LOCAL_BUS_LEASE: Duration = Duration::from_secs(10);
/// Where ports are published when nothing else is said: for who works on this machine.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long a process that ran one job lets other jobs go on that it picked up meanwhile.
const ONE_JOB_DRAIN: Duration = Duration::from_secs(3);
/// How long the record of a job that has ended may take to become complete.
const SETTLE_PATIENCE: Duration = Duration::from_secs(5);
/// How often that is looked at.
const SETTLE_PAUSE: Duration = Duration::from_millis(20);
/// How many runs without their files are looked at.
const SETTLE_LOOK: u32 = 200;

/// Starts an API replica of a fleet.
pub(crate) async fn api(settings: &Settings) -> Result<Api, StartError> {
    let layer = settings.layer();
    let database = layer.database_url.as_deref().ok_or(StartError::Missing {
        command: "api",
        what: "a database",
        flag: "database-url",
        variable: "ORCAOPS_DATABASE_URL",
    })?;
    let nats = nats_url(settings, "api")?;
    settings.home().create()?;
    let store = patiently(async || store::connect(database).await).await.map_err(StartError::Store)?;
    let bus = patiently(async || NatsBus::connect(nats).await).await.map_err(StartError::Bus)?;
    let config = ApiConfig::new(settings.listen(), settings.home().artifacts());
    Ok(Api::start(config, store, Arc::new(bus)).await?)
}

/// Starts a worker of a fleet.
pub(crate) async fn worker(settings: &Settings) -> Result<Worker, StartError> {
    let nats = nats_url(settings, "worker")?;
    let bus = patiently(async || NatsBus::connect(nats).await).await.map_err(StartError::Bus)?;
    let bus: Arc<dyn Bus> = Arc::new(bus);
    let mut config = worker_config(settings, settings.worker_name())?;
    let layer = settings.layer();
    if layer.allow_ports == Some(true) {
        config.policy.publish = Some(layer.publish_address.unwrap_or(LOOPBACK));
    }
    Ok(patiently(async || Worker::start(config.clone(), Arc::clone(&bus)).await).await?)
}

/// API, and perhaps a worker, over the home folder.
pub(crate) struct Local {
    api: Api,
    worker: Option<Worker>,
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
}

impl Local {
    /// A server for this machine.
    pub(crate) async fn dev(settings: &Settings) -> Result<Self, StartError> {
        let store = store(settings).await?;
        let config = worker_config(settings, settings.worker_name())?;
        let config = local(config, settings, settings.listen().ip());
        Self::start(settings, settings.listen(), store, Some(config)).await
    }

    /// An API for this process alone; with a pool, also a worker that takes its jobs. `own` is a job that gets what it
    /// names of this machine.
    pub(crate) async fn embedded(
        settings: &Settings,
        pool: Option<PoolName>,
        own: Option<&JobSpec>,
    ) -> Result<Self, StartError> {
        let store = home_store(settings).await?;
        let worker = match pool {
            None => None,
            Some(pool) => {
                let mut config = local(worker_config(settings, own_name())?, settings, LOOPBACK);
                config.pool = pool;
                config.drain_grace = ONE_JOB_DRAIN;
                if let Some(spec) = own {
                    config.policy.volumes.extend(spec.volumes.iter().map(|volume| volume.source.clone()));
                    config.policy.publish = config.policy.publish.or(Some(LOOPBACK));
                }
                Some(config)
            }
        };
        Self::start(settings, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), store, worker).await
    }

    /// An API for this process alone, with a worker that takes no jobs: it knows the host's containers.
    pub(crate) async fn looking_on(settings: &Settings) -> Result<Self, StartError> {
        let store = home_store(settings).await?;
        let mut config = local(worker_config(settings, own_name())?, settings, LOOPBACK);
        config.slots = 0;
        let name = config.name.clone();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let local = Self::start(settings, listen, store, Some(config)).await?;
        // It is asked once it has been heard of.
        let began = Instant::now();
        while began.elapsed() < SETTLE_PATIENCE {
            let workers = local.store.workers(SETTLE_PATIENCE).await.unwrap_or_default();
            if workers.iter().any(|worker| worker.name == name) {
                break;
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
        Ok(local)
    }

    async fn start(
        settings: &Settings,
        listen: SocketAddr,
        store: Arc<dyn Store>,
        worker: Option<WorkerConfig>,
    ) -> Result<Self, StartError> {
        settings.home().create()?;
        let bus: Arc<dyn Bus> =
            Arc::new(InProcessBus::open(settings.home().bus()).map_err(StartError::LocalBus)?);
        let mut config = ApiConfig::new(listen, settings.home().artifacts());
        config.bus_lease = LOCAL_BUS_LEASE;
        let api = Api::start(config, Arc::clone(&store), Arc::clone(&bus)).await?;
        let worker = match worker {
            None => None,
            Some(config) => match Worker::start(config, Arc::clone(&bus)).await {
                Ok(worker) => Some(worker),
                Err(error) => {
                    api.stop().await;
                    return Err(error.into());
                }
            },
        };
        Ok(Self { api, worker, store, bus })
    }

    /// Where its API listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.api.address()
    }

    /// Ends it. With a job, not before that job's record and files are complete.
    pub(crate) async fn stop(self, job: Option<&JobId>) {
        if let Some(worker) = self.worker {
            worker.stop().await;
        }
        if let Some(job) = job {
            settle(&self.store, &self.bus, job).await;
        }
        self.api.stop().await;
    }
}

/// Waits until the container's end is recorded and the files lie where they belong. What is not done in time is
/// done by the next process.
async fn settle(store: &Arc<dyn Store>, bus: &Arc<dyn Bus>, job: &JobId) {
    let began = Instant::now();
    while began.elapsed() < SETTLE_PATIENCE {
        if is_settled(store, bus, job).await.unwrap_or(false) {
            return;
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
    tracing::warn!(job.id = %job, "the job's files are not all in place yet; the next command goes on with it");
}

/// `None` when it can't be found out now.
async fn is_settled(store: &Arc<dyn Store>, bus: &Arc<dyn Bus>, job: &JobId) -> Option<bool> {
    let Some(record) = store.run(job).await.ok()? else { return Some(true) };
    if !record.status.is_terminal() {
        // Whoever it is that has the job, it is not this process any more.
        return Some(true);
    }
    let generation = bus.generation().await.ok()?;
    let unmirrored = store.unmirrored(&generation, SETTLE_LOOK).await.ok()?;
    let pending = record.cleanup_status == Some(CleanupStatus::Pending);
    Some(!pending && unmirrored.iter().all(|(other, _)| other != job))
}

/// The database that the settings name; without one, the home folder's.
pub(crate) async fn store(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    match settings.layer().database_url.as_deref() {
        Some(url) => {
            settings.home().create()?;
            store::connect(url).await.map_err(StartError::Store)
        }
        None => home_store(settings).await,
    }
}

async fn home_store(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    settings.home().create()?;
    let store = SqliteStore::open(settings.home().database()).await.map_err(StartError::LocalStore)?;
    Ok(Arc::new(store))
}

fn nats_url<'a>(settings: &'a Settings, command: &'static str) -> Result<&'a str, StartError> {
    settings.layer().nats_url.as_deref().ok_or(StartError::Missing {
        command,
        what: "NATS",
        flag: "nats-url",
        variable: "ORCAOPS_NATS_URL",
    })
}

fn worker_config(settings: &Settings, name: WorkerName) -> Result<WorkerConfig, ConfigError> {
    let layer = settings.layer();
    let mut config = WorkerConfig::new(name);
    if let Some(pool) = &layer.pool {
        config.pool = pool.clone();
    }
    if let Some(slots) = layer.slots {
        config.slots = slots;
    }
    if let Some(seconds) = layer.lease_seconds {
        config.lease = Duration::from_secs(seconds.into());
    }
    if let Some(fleet) = &layer.fleet {
        config.fleet.clone_from(fleet);
    }
    if let Some(hours) = layer.keep_hours {
        config.keep = Duration::from_secs(u64::from(hours) * 60 * 60);
    }
    config.policy = Policy {
        volumes: layer.allow_volumes.clone().unwrap_or_default().0,
        networks: layer.allow_networks.clone().unwrap_or_default().0,
        publish: None,
        credentials: match &layer.credentials {
            Some(path) => Credentials::from_file(path)?,
            None => Credentials::default(),
        },
        max_memory: layer.max_memory.map(|size| size.0),
        max_pids: layer.max_pids,
    };
    if let Some(size) = layer.max_log_bytes {
        config.max_log_bytes = size.0;
    }
    Ok(config)
}

/// The home folder is the fleet: what runs over it sweeps after itself, and never after others. Whoever can reach
/// the API only from this machine may publish ports, for this machine alone.
fn local(mut config: WorkerConfig, settings: &Settings, listen: IpAddr) -> WorkerConfig {
    let allow_ports = settings.layer().allow_ports.unwrap_or_else(|| listen.is_loopback());
    config.policy.publish = allow_ports.then_some(LOOPBACK);

    if settings.layer().fleet.is_none() {
        let path = settings.home().path().as_os_str().as_encoded_bytes();
        config.fleet = format!("home-{}", &hex::encode(Sha256::digest(path))[..12]);
    }
    config
}

/// A name that no other process over the same home folder has.
#[expect(clippy::expect_used, reason = "made of letters, digits and dashes")]
fn own_name() -> WorkerName {
    let name = format!("run-{}-{:08x}", std::process::id(), fastrand::u32(..));
    WorkerName::new(name).expect("a valid name")
}
