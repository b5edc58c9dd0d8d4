//! What a container is to be like: all that a job's spec says of it, and what OrcaOps adds.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use orcaops_common::domain::control::RunningAttempt;
use orcaops_common::domain::id::WorkerName;
use orcaops_common::domain::job::Resources;
use orcaops_common::domain::placement::{Cache, Tmpfs, Volume};

/// The labels' names.
pub(crate) mod label {
    /// The job.
    pub(crate) const JOB: &str = "orcaops.job_id";
    /// Its TTL in seconds.
    pub(crate) const TTL: &str = "orcaops.ttl";
    /// When the container was made, RFC 3339.
    pub(crate) const CREATED_AT: &str = "orcaops.created_at";
    /// The fleet.
    pub(crate) const FLEET: &str = "orcaops.fleet";
    /// The worker.
    pub(crate) const WORKER: &str = "orcaops.worker";
    /// The attempt, as `dispatch.delivery`.
    pub(crate) const ATTEMPT: &str = "orcaops.attempt";
    /// The attempt's number as users count it.
    pub(crate) const NUMBER: &str = "orcaops.attempt_number";
    /// When any worker of the fleet may remove it unless it is kept, in seconds since 1970.
    pub(crate) const EXPIRES_AT: &str = "orcaops.expires_at";
    /// Where its job may want it kept: when any worker of the fleet may remove it all the same, in seconds
    /// since 1970.
    pub(crate) const KEPT_UNTIL: &str = "orcaops.kept_until";
    /// Of a volume: the key of the cache that it is.
    pub(crate) const CACHE: &str = "orcaops.cache";
}

/// What a container's labels say.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    /// The attempt it was made for.
    pub(crate) attempt: RunningAttempt,
    /// That attempt's number as users count it.
    pub(crate) number: u32,
    /// The job's TTL in seconds.
    pub(crate) ttl_seconds: u32,
    /// The fleet.
    pub(crate) fleet: String,
    /// The worker.
    pub(crate) worker: WorkerName,
    /// When any worker of the fleet may remove it, unless it is kept.
    pub(crate) expires_at: DateTime<Utc>,
    /// Until when it is kept, where its job may want that.
    pub(crate) kept_until: Option<DateTime<Utc>>,
}

impl Labels {
    pub(super) fn map(&self) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (label::JOB.to_owned(), self.attempt.job_id.to_string()),
            (label::TTL.to_owned(), self.ttl_seconds.to_string()),
            (label::CREATED_AT.to_owned(), Utc::now().to_rfc3339()),
            (label::FLEET.to_owned(), self.fleet.clone()),
            (label::WORKER.to_owned(), self.worker.to_string()),
            (label::ATTEMPT.to_owned(), self.attempt.attempt.to_string()),
            (label::NUMBER.to_owned(), self.number.to_string()),
            (label::EXPIRES_AT.to_owned(), self.expires_at.timestamp().to_string()),
        ]);
        if let Some(until) = self.kept_until {
            labels.insert(label::KEPT_UNTIL.to_owned(), until.timestamp().to_string());
        }
        labels
    }

    /// Labels of a container that serves no job and lives for seconds.
    pub(super) fn helper(fleet: &str, life: Duration) -> HashMap<String, String> {
        let expires_at = Utc::now().timestamp() + i64::try_from(life.as_secs()).unwrap_or(i64::MAX / 2);
        HashMap::from([
            (label::FLEET.to_owned(), fleet.to_owned()),
            (label::EXPIRES_AT.to_owned(), expires_at.to_string()),
        ])
    }
}

/// A container to make.
#[derive(Debug, Clone)]
pub(crate) struct ContainerPlan {
    /// The image.
    pub(crate) image: String,
    /// Limits.
    pub(crate) resources: Resources,
    /// OrcaOps' own labels.
    pub(crate) labels: Labels,
    /// The job's labels.
    pub(crate) user_labels: BTreeMap<String, String>,
    /// The network, as the spec names it.
    pub(crate) network: String,
    /// Ports of the container, and those of the host that lead there.
    pub(crate) ports: BTreeMap<String, u16>,
    /// The host's address for them. The policy has refused ports without one.
    pub(crate) publish: Option<IpAddr>,
    /// Folders of the host.
    pub(crate) volumes: Vec<Volume>,
    /// Folders that live on.
    pub(crate) cache: Vec<Cache>,
    /// Folders in memory.
    pub(crate) tmpfs: Vec<Tmpfs>,
    /// Whether init has to be root, to run steps as other users than the image's.
    pub(crate) as_root: bool,
    /// How long init goes on without a word from the worker.
    pub(crate) lease: Duration,
}

#[cfg(test)]
pub(crate) mod tests {
    use orcaops_common::domain::id::{AttemptId, JobId};

    use super::*;

    /// A job that asks for nothing, with labels of its own.
    pub(crate) fn plan() -> ContainerPlan {
        ContainerPlan {
            image: "alpine".to_owned(),
            resources: Resources::default(),
            labels: Labels {
                attempt: RunningAttempt {
                    job_id: JobId::new("build").expect("valid"),
                    attempt: AttemptId { dispatch: 1, delivery: 1 },
                },
                number: 1,
                ttl_seconds: 60,
                fleet: "ci".to_owned(),
                worker: WorkerName::new("w").expect("valid"),
                expires_at: DateTime::UNIX_EPOCH,
                kept_until: None,
            },
            user_labels: [(label::FLEET.to_owned(), "other".to_owned()), ("team".to_owned(), "a".to_owned())]
                .into(),
            network: "default".to_owned(),
            ports: [].into(),
            publish: None,
            volumes: Vec::new(),
            cache: Vec::new(),
            tmpfs: Vec::new(),
            as_root: false,
            lease: Duration::from_secs(15),
        }
    }
}
