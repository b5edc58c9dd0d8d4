//! One layer of settings.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::address::without_credentials;
use super::error::ConfigError;
use super::list::List;
use super::size::ByteSize;
use crate::domain::id::{PoolName, WorkerName};
use crate::domain::job::{DEFAULT_NETWORK, NO_NETWORK};

/// The most jobs that one worker may run at once.
const MAX_SLOTS: usize = 4096;
/// The shortest and the longest lease, in seconds. A shorter one would not survive a busy machine.
const LEASE_SECONDS: std::ops::RangeInclusive<u32> = 2..=3600;
/// How long kept containers may be kept, in hours: at most a year.
const KEEP_HOURS: std::ops::RangeInclusive<u32> = 1..=8760;
/// The smallest and the largest limit of a job's log, in bytes.
const MAX_LOG_BYTES: std::ops::RangeInclusive<u64> = 1024..=1 << 40;
/// The least that the most memory of a job may be, in bytes: engines make no smaller container.
const MIN_MAX_MEMORY: u64 = 6 * 1024 * 1024;
/// The least that the most processes of a job may be: init, a shell and what that starts.
const MIN_MAX_PIDS: u32 = 8;
/// The longest name of a fleet; it becomes a label of containers.
const MAX_FLEET: usize = 128;

/// What one source of settings says; `None` where it says nothing.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Layer {
    /// Where the API listens.
    pub listen: Option<SocketAddr>,
    /// The database: `postgres://…` or `sqlite://…`.
    pub database_url: Option<String>,
    /// NATS servers, comma-separated.
    pub nats_url: Option<String>,
    /// The home folder.
    pub home: Option<PathBuf>,
    /// How many jobs a worker runs at once.
    pub slots: Option<usize>,
    /// The pool whose jobs a worker takes.
    pub pool: Option<PoolName>,
    /// A worker's name.
    pub name: Option<WorkerName>,
    /// How long a worker may stay silent about a job before another one gets it, in seconds.
    pub lease_seconds: Option<u32>,
    /// Names the fleet in the labels of containers.
    pub fleet: Option<String>,
    /// Folders of a worker's host below which jobs may mount what they like.
    pub allow_volumes: Option<List>,
    /// Networks of a worker's engine that jobs may join.
    pub allow_networks: Option<List>,
    /// Whether jobs may publish ports on a worker's host.
    pub allow_ports: Option<bool>,
    /// The address of a worker's host that published ports are bound to.
    pub publish_address: Option<IpAddr>,
    /// File of what a worker shows registries; jobs refer to it by name.
    pub credentials: Option<PathBuf>,
    /// How long a job's container is kept where its spec wants it kept, in hours.
    pub keep_hours: Option<u32>,
    /// The most memory of a job, and what jobs get that name none.
    pub max_memory: Option<ByteSize>,
    /// The most processes and threads of a job.
    pub max_pids: Option<u32>,
    /// How much of a job's output is kept in its log.
    pub max_log_bytes: Option<ByteSize>,
    /// The API that clients talk to.
    pub url: Option<String>,
    /// The key that clients send.
    pub api_key: Option<String>,
    /// Which log messages are written: a `tracing` filter.
    pub log: Option<String>,
}

impl Layer {
    /// What the file of settings may say.
    pub(super) const KEYS: [&'static str; 21] = [
        "listen",
        "database_url",
        "nats_url",
        "home",
        "slots",
        "pool",
        "name",
        "lease_seconds",
        "fleet",
        "allow_volumes",
        "allow_networks",
        "allow_ports",
        "publish_address",
        "credentials",
        "keep_hours",
        "max_memory",
        "max_pids",
        "max_log_bytes",
        "url",
        "api_key",
        "log",
    ];

    /// What the environment says. A variable that is set to nothing counts as not set.
    ///
    /// # Errors
    /// Names the variable that can't be used.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Environment(&lookup);
        let layer = Self {
            listen: env.parsed("ORCAOPS_LISTEN", "an address such as 127.0.0.1:8000")?,
            database_url: env.text("ORCAOPS_DATABASE_URL"),
            nats_url: env.text("ORCAOPS_NATS_URL"),
            home: env.text("ORCAOPS_HOME").map(PathBuf::from),
            slots: env.parsed("ORCAOPS_SLOTS", "a whole number")?,
            pool: env.parsed("ORCAOPS_POOL", "a name")?,
            name: env.parsed("ORCAOPS_WORKER_NAME", "a name")?,
            lease_seconds: env.parsed("ORCAOPS_LEASE_SECONDS", "a whole number of seconds")?,
            fleet: env.text("ORCAOPS_FLEET"),
            allow_volumes: env.parsed("ORCAOPS_ALLOW_VOLUMES", "a list of folders")?,
            allow_networks: env.parsed("ORCAOPS_ALLOW_NETWORKS", "a list of names")?,
            allow_ports: env.parsed("ORCAOPS_ALLOW_PORTS", "`true` or `false`")?,
            publish_address: env.parsed("ORCAOPS_PUBLISH_ADDRESS", "an address such as 127.0.0.1")?,
            credentials: env.text("ORCAOPS_CREDENTIALS").map(PathBuf::from),
            keep_hours: env.parsed("ORCAOPS_KEEP_HOURS", "a whole number of hours")?,
            max_memory: env.parsed("ORCAOPS_MAX_MEMORY", "a size")?,
            max_pids: env.parsed("ORCAOPS_MAX_PIDS", "a whole number")?,
            max_log_bytes: env.parsed("ORCAOPS_MAX_LOG_BYTES", "a size")?,
            url: env.text("ORCAOPS_URL"),
            api_key: env.text("ORCAOPS_API_KEY"),
            log: env.text("ORCAOPS_LOG").or_else(|| env.text("RUST_LOG")),
        };
        match layer.problems().into_iter().next() {
            None => Ok(layer),
            Some((key, reason)) => Err(ConfigError::Environment { variable: variable(key), reason }),
        }
    }

    /// This layer over a lower one: what this one says counts.
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        Self {
            listen: self.listen.or(lower.listen),
            database_url: self.database_url.or(lower.database_url),
            nats_url: self.nats_url.or(lower.nats_url),
            home: self.home.or(lower.home),
            slots: self.slots.or(lower.slots),
            pool: self.pool.or(lower.pool),
            name: self.name.or(lower.name),
            lease_seconds: self.lease_seconds.or(lower.lease_seconds),
            fleet: self.fleet.or(lower.fleet),
            allow_volumes: self.allow_volumes.or(lower.allow_volumes),
            allow_networks: self.allow_networks.or(lower.allow_networks),
            allow_ports: self.allow_ports.or(lower.allow_ports),
            publish_address: self.publish_address.or(lower.publish_address),
            credentials: self.credentials.or(lower.credentials),
            keep_hours: self.keep_hours.or(lower.keep_hours),
            max_memory: self.max_memory.or(lower.max_memory),
            max_pids: self.max_pids.or(lower.max_pids),
            max_log_bytes: self.max_log_bytes.or(lower.max_log_bytes),
            url: self.url.or(lower.url),
            api_key: self.api_key.or(lower.api_key),
            log: self.log.or(lower.log),
        }
    }

    /// Values that have the right type and still can't be used: key, and what is wrong with its value.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Some(slots) = self.slots.filter(|s| !(1..=MAX_SLOTS).contains(s)) {
            problems.push(("slots", format!("{slots} is out of range; use 1 to {MAX_SLOTS}")));
        }
        if let Some(lease) = self.lease_seconds.filter(|s| !LEASE_SECONDS.contains(s)) {
            let (least, most) = (LEASE_SECONDS.start(), LEASE_SECONDS.end());
            problems
                .push(("lease_seconds", format!("{lease} is out of range; use {least} to {most} seconds")));
        }
        if let Some(fleet) = self.fleet.as_deref().filter(|f| !is_fleet_name(f)) {
            let reason =
                format!("{fleet:?} is no name; use at most {MAX_FLEET} letters, digits, `.`, `_` and `-`");
            problems.push(("fleet", reason));
        }
        for prefix in self.allow_volumes.iter().flat_map(|list| &list.0) {
            if !prefix.starts_with('/') || prefix.split('/').any(|name| name == "..") {
                let reason = format!("{prefix:?} is no absolute path without `..`; write it as /srv/data");
                problems.push(("allow_volumes", reason));
            }
        }
        for network in self.allow_networks.iter().flat_map(|list| &list.0) {
            if [DEFAULT_NETWORK, NO_NETWORK, "host"].contains(&network.as_str()) || !is_fleet_name(network) {
                let reason = format!(
                    "{network:?} can't be allowed; name networks of the engine, but not the host's own; \
                     `{DEFAULT_NETWORK}` and `{NO_NETWORK}` every job may have"
                );
                problems.push(("allow_networks", reason));
            }
        }
        if let Some(hours) = self.keep_hours.filter(|h| !KEEP_HOURS.contains(h)) {
            let (least, most) = (KEEP_HOURS.start(), KEEP_HOURS.end());
            problems.push(("keep_hours", format!("{hours} is out of range; use {least} to {most} hours")));
        }
        if let Some(size) = self.max_memory.filter(|size| size.0 < MIN_MAX_MEMORY) {
            let reason = format!("{size} bytes are out of range; use 6m at least, as the engine wants it");
            problems.push(("max_memory", reason));
        }
        if self.max_pids.is_some_and(|pids| pids < MIN_MAX_PIDS) {
            problems.push(("max_pids", format!("is out of range; use at least {MIN_MAX_PIDS}")));
        }
        if let Some(size) = self.max_log_bytes.filter(|size| !MAX_LOG_BYTES.contains(&size.0)) {
            let reason = format!("{size} bytes are out of range; use 1k to 1t");
            problems.push(("max_log_bytes", reason));
        }
        problems
    }
}

/// Shows what is set, secrets masked.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_map();
        let mut entry = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                shown.entry(&key, &value);
            }
        };
        entry("listen", self.listen.map(|a| a.to_string()));
        entry("database_url", self.database_url.as_deref().map(without_credentials));
        entry("nats_url", self.nats_url.as_deref().map(without_credentials));
        entry("home", self.home.as_ref().map(|h| h.display().to_string()));
        entry("slots", self.slots.map(|s| s.to_string()));
        entry("pool", self.pool.as_ref().map(ToString::to_string));
        entry("name", self.name.as_ref().map(ToString::to_string));
        entry("lease_seconds", self.lease_seconds.map(|s| s.to_string()));
        entry("fleet", self.fleet.clone());
        entry("allow_volumes", self.allow_volumes.as_ref().map(ToString::to_string));
        entry("allow_networks", self.allow_networks.as_ref().map(ToString::to_string));
        entry("allow_ports", self.allow_ports.map(|yes| yes.to_string()));
        entry("publish_address", self.publish_address.map(|a| a.to_string()));
        entry("credentials", self.credentials.as_ref().map(|path| path.display().to_string()));
        entry("keep_hours", self.keep_hours.map(|h| h.to_string()));
        entry("max_memory", self.max_memory.map(|size| size.to_string()));
        entry("max_pids", self.max_pids.map(|pids| pids.to_string()));
        entry("max_log_bytes", self.max_log_bytes.map(|size| size.to_string()));
        entry("url", self.url.as_deref().map(without_credentials));
        entry("api_key", self.api_key.as_ref().map(|_| "***".to_owned()));
        entry("log", self.log.clone());
        shown.finish()
    }
}

struct Environment<'a, F>(&'a F);

impl<F: Fn(&str) -> Option<String>> Environment<'_, F> {
    fn text(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.trim().is_empty())
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(
        &self,
        variable: &'static str,
        what: &str,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(variable) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|error| ConfigError::Environment {
            variable,
            reason: format!("{text:?} is not {what}: {error}"),
        })
    }
}

fn variable(key: &str) -> &'static str {
    match key {
        "slots" => "ORCAOPS_SLOTS",
        "fleet" => "ORCAOPS_FLEET",
        "allow_volumes" => "ORCAOPS_ALLOW_VOLUMES",
        "allow_networks" => "ORCAOPS_ALLOW_NETWORKS",
        "keep_hours" => "ORCAOPS_KEEP_HOURS",
        "max_memory" => "ORCAOPS_MAX_MEMORY",
        "max_pids" => "ORCAOPS_MAX_PIDS",
        "max_log_bytes" => "ORCAOPS_MAX_LOG_BYTES",
        _ => "ORCAOPS_LEASE_SECONDS",
    }
}

fn is_fleet_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= MAX_FLEET
        && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> Result<Layer, ConfigError> {
        Layer::from_env(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn a_higher_layer_hides_a_lower_one_key_by_key() {
        let high = Layer { slots: Some(1), ..Layer::default() };
        let low = Layer { slots: Some(2), url: Some("http://low".into()), ..Layer::default() };
        let merged = high.over(low);
        assert_eq!((merged.slots, merged.url.as_deref()), (Some(1), Some("http://low")));
    }

    #[test]
    fn a_variable_set_to_nothing_is_not_set() {
        assert_eq!(env(&[("ORCAOPS_SLOTS", ""), ("ORCAOPS_NATS_URL", " ")]).unwrap(), Layer::default());
    }

    #[test]
    fn own_filter_comes_before_the_general_one() {
        let both = env(&[("RUST_LOG", "info"), ("ORCAOPS_LOG", "debug")]).unwrap();
        assert_eq!(both.log.as_deref(), Some("debug"));
        assert_eq!(env(&[("RUST_LOG", "info")]).unwrap().log.as_deref(), Some("info"));
    }

    #[test]
    fn what_is_wrong_with_a_variable_is_said_with_its_name() {
        let message = |pairs| env(pairs).unwrap_err().to_string();
        insta::assert_snapshot!(message(&[("ORCAOPS_SLOTS", "many")]),
            @r#"ORCAOPS_SLOTS: "many" is not a whole number: invalid digit found in string"#);
        insta::assert_snapshot!(message(&[("ORCAOPS_SLOTS", "0")]), @"ORCAOPS_SLOTS: 0 is out of range; use 1 to 4096");
        insta::assert_snapshot!(message(&[("ORCAOPS_LEASE_SECONDS", "1")]),
            @"ORCAOPS_LEASE_SECONDS: 1 is out of range; use 2 to 3600 seconds");
        insta::assert_snapshot!(message(&[("ORCAOPS_FLEET", "a b")]),
            @r#"ORCAOPS_FLEET: "a b" is no name; use at most 128 letters, digits, `.`, `_` and `-`"#);
        insta::assert_snapshot!(message(&[("ORCAOPS_MAX_LOG_BYTES", "much")]),
            @r#"ORCAOPS_MAX_LOG_BYTES: "much" is not a size: give bytes, or a size such as 512k, 100m or 1.5g"#);
        insta::assert_snapshot!(message(&[("ORCAOPS_MAX_LOG_BYTES", "12")]),
            @"ORCAOPS_MAX_LOG_BYTES: 12 bytes are out of range; use 1k to 1t");
    }

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        let size = |pairs| env(pairs).unwrap().max_log_bytes.map(|size| size.0);
        assert_eq!(size(&[("ORCAOPS_MAX_LOG_BYTES", "4096")]), Some(4096));
        assert_eq!(size(&[("ORCAOPS_MAX_LOG_BYTES", "100m")]), Some(100 << 20));
    }

    #[test]
    fn what_an_operator_may_not_allow_is_said() {
        let message = |pairs| env(pairs).unwrap_err().to_string();
        insta::assert_snapshot!(message(&[("ORCAOPS_ALLOW_VOLUMES", "/srv,data")]),
            @r#"ORCAOPS_ALLOW_VOLUMES: "data" is no absolute path without `..`; write it as /srv/data"#);
        insta::assert_snapshot!(message(&[("ORCAOPS_ALLOW_NETWORKS", "ci, host")]),
            @r#"ORCAOPS_ALLOW_NETWORKS: "host" can't be allowed; name networks of the engine, but not the host's own; `default` and `none` every job may have"#);
        insta::assert_snapshot!(message(&[("ORCAOPS_ALLOW_PORTS", "yes")]),
            @r#"ORCAOPS_ALLOW_PORTS: "yes" is not `true` or `false`: provided string was not `true` or `false`"#);
        insta::assert_snapshot!(message(&[("ORCAOPS_KEEP_HOURS", "0")]), @"ORCAOPS_KEEP_HOURS: 0 is out of range; use 1 to 8760 hours");
    }

    #[test]
    fn secrets_never_show() {
        let layer = Layer {
            database_url: Some("postgres://u:secret@db/x".into()),
            nats_url: Some("nats://u:secret@n".into()),
            api_key: Some("secret".into()),
            url: Some("http://u:secret@api".into()),
            ..Layer::default()
        };
        let shown = format!("{layer:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
