//! What an API replica needs to know at start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The largest upload accepted when nothing else is said, in bytes.
const DEFAULT_MAX_UPLOAD_BYTES: u64 = 1024 * 1024 * 1024;
/// How long a bus' generation counts as alive after its last sign of life, when nothing else is said.
const DEFAULT_BUS_LEASE: Duration = Duration::from_secs(30);
/// How long after a run's end its worker is waited for, when nothing else is said.
const DEFAULT_SETTLE_AFTER: Duration = Duration::from_secs(90);

/// The settings of one replica.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The root of the run layout. Replicas of one fleet share it.
    pub artifacts: PathBuf,
    /// Names this replica among all; unique for each process.
    pub replica: String,
    /// The largest upload accepted, in bytes.
    pub max_upload_bytes: u64,
    /// How long after the last replica's end the bus' data counts as lost, so that runs it carried are
    /// dispatched again under another generation.
    pub bus_lease: Duration,
    /// How long after a run's end its worker is waited for to say what became of the container (it tries to
    /// remove it, and to say so, for 30 s each), and how long a silent worker is waited for to end a cancelled
    /// run.
    pub settle_after: Duration,
}

impl ApiConfig {
    /// Settings with defaults: a random replica name, uploads of up to 1 GiB, a bus lease of 30 s,
    /// a minute and a half to settle.
    #[must_use]
    pub fn new(listen: SocketAddr, artifacts: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            artifacts: artifacts.into(),
            replica: uuid::Uuid::new_v4().to_string(),
            max_upload_bytes: DEFAULT_MAX_UPLOAD_BYTES,
            bus_lease: DEFAULT_BUS_LEASE,
            settle_after: DEFAULT_SETTLE_AFTER,
        }
    }
}
