//! The settings in effect: flags over environment over file, and the home folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use orcaops_common::config::{ConfigError, Home, Layer};
use orcaops_common::domain::id::WorkerName;

use crate::args::Cli;

/// Where the API listens when nothing is said.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
/// A worker's name when the host has none.
const NAMELESS: &str = "worker";

/// The settings in effect.
#[derive(Debug)]
pub(crate) struct Settings {
    layer: Layer,
    home: Home,
}

impl Settings {
    /// Reads all layers. Creates nothing.
    pub(crate) fn load(cli: &Cli) -> Result<Self, ConfigError> {
        let lookup = |name: &str| std::env::var(name).ok();
        Self::merge(cli.layer(), cli.general.config.as_deref(), lookup)
    }

    fn merge(
        flags: Layer,
        config: Option<&Path>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let above_file = flags.over(Layer::from_env(&lookup)?);
        let named = lookup("ORCAOPS_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file = match config.map(ToOwned::to_owned).or(named) {
            Some(path) => Layer::from_file(&path)?,
            None => {
                let path = Home::resolve(above_file.home.as_deref())?.config_file();
                if path.exists() { Layer::from_file(&path)? } else { Layer::default() }
            }
        };
        let layer = above_file.over(file);
        let home = Home::resolve(layer.home.as_deref())?;
        // Flags are the only layer that has not been checked where it was read.
        match layer.problems().into_iter().next() {
            None => Ok(Self { layer, home }),
            Some((key, reason)) => Err(ConfigError::Flag { flag: key.replace('_', "-"), reason }),
        }
    }

    /// What was set.
    pub(crate) fn layer(&self) -> &Layer {
        &self.layer
    }

    /// The home folder.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Where the API listens.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.layer.listen.unwrap_or(DEFAULT_LISTEN)
    }

    /// A worker's name: what was set, or the host's.
    pub(crate) fn worker_name(&self) -> WorkerName {
        let name = self.layer.name.clone().or_else(|| WorkerName::new(as_name(&host_name())).ok());
        name.unwrap_or_else(fallback_name)
    }
}

#[expect(clippy::expect_used, reason = "a constant")]
fn fallback_name() -> WorkerName {
    WorkerName::new(NAMELESS).expect("a valid name")
}

/// The host's name; in a container, the container's.
fn host_name() -> String {
    let read = |path| std::fs::read_to_string(path).ok().map(|name| name.trim().to_owned());
    read("/proc/sys/kernel/hostname")
        .or_else(|| read("/etc/hostname"))
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_default()
}

/// A host's name with what names may not hold replaced.
fn as_name(host: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' };
    let name: String =
        host.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().map(plain).collect();
    name.chars().take(WorkerName::MAX_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(flags: Layer, env: &[(&str, &str)], file: Option<&str>) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(folder.path().join("config.toml"), text).unwrap();
        }
        let home = folder.path().display().to_string();
        Settings::merge(flags, None, |name| {
            let own = env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            own.or_else(|| (name == "ORCAOPS_HOME").then(|| home.clone()))
        })
    }

    #[test]
    fn flags_come_before_the_environment_and_that_before_the_file() {
        let file = Some("slots = 1\npool = 'file'\nurl = 'http://file'\n");
        let env = [("ORCAOPS_SLOTS", "2"), ("ORCAOPS_POOL", "env")];
        let flags = Layer { slots: Some(3), ..Layer::default() };
        let settings = merge(flags, &env, file).unwrap();
        let layer = settings.layer();
        assert_eq!(layer.slots, Some(3));
        assert_eq!(layer.pool.as_ref().map(|p| p.as_str()), Some("env"));
        assert_eq!(layer.url.as_deref(), Some("http://file"));
        assert_eq!(settings.listen(), "127.0.0.1:8000".parse().unwrap());
    }

    #[test]
    fn a_file_in_the_home_folder_is_optional_and_a_named_one_is_not() {
        assert!(merge(Layer::default(), &[], None).is_ok());
        let error = merge(Layer::default(), &[("ORCAOPS_CONFIG", "/no/such.toml")], None).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the settings in /no/such.toml");
    }

    #[test]
    fn a_named_file_may_move_the_home_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, "home = '/srv/orcaops'\n").unwrap();
        let settings = Settings::merge(Layer::default(), Some(&path), |_| None).unwrap();
        assert_eq!(settings.home().database(), Path::new("/srv/orcaops/orcaops.db"));
    }

    #[test]
    fn a_flag_out_of_range_is_named() {
        let flags = Layer { slots: Some(0), ..Layer::default() };
        let error = merge(flags, &[], None).unwrap_err();
        assert_eq!(error.to_string(), "--slots: 0 is out of range; use 1 to 4096");
    }

    #[test]
    fn a_hosts_name_becomes_a_workers() {
        assert_eq!(as_name("ci-3.example.org"), "ci-3-example-org");
        assert_eq!(as_name("-_x"), "x");
        assert!(WorkerName::new(as_name(&"x".repeat(300))).is_ok());
        assert!(WorkerName::new(as_name("...")).is_err(), "the fallback is used then");
    }
}
