//! What jobs may ask of a worker's host: its operator's rules against a job's spec. Pure.

use std::fmt;
use std::net::IpAddr;

use orcaops_common::config::{Credential, Credentials};
use orcaops_common::domain::job::{DEFAULT_NETWORK, JobSpec, NO_NETWORK, Resources};

/// The registry of images that name none.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Other names of it that people and tools write.
const DEFAULT_REGISTRY_ALIASES: [&str; 3] =
    ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// Processes and threads of a job that names no limit.
const DEFAULT_PIDS: u32 = 1024;

/// What jobs may ask of a worker's host. By default nothing but a container of their own.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Absolute folders of the host: what lies below them may be mounted.
    pub volumes: Vec<String>,
    /// Networks of the engine that jobs may join.
    pub networks: Vec<String>,
    /// The address of the host that ports may be published on, if they may be.
    pub publish: Option<IpAddr>,
    /// What registries are shown, by the names that jobs use.
    pub credentials: Credentials,
    /// The most memory of a job in bytes, and what jobs get that name no limit; none when absent.
    pub max_memory: Option<u64>,
    /// The most processes and threads of a job; none when absent.
    pub max_pids: Option<u32>,
}

/// Something that a job asks for and does not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// JSON pointer to the field of the spec.
    pub(crate) pointer: String,
    /// Why not, and what the operator would have to set.
    pub(crate) reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pointer, self.reason)
    }
}

impl Policy {
    /// Everything that the job asks for and may not have here.
    pub(crate) fn refusals(&self, spec: &JobSpec) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut refuse = |pointer: String, reason: String| refusals.push(Refusal { pointer, reason });

        let resources = &spec.sandbox.resources;
        if let (Some(asked), Some(most)) = (resources.memory, self.max_memory)
            && asked > most
        {
            refuse(
                "/sandbox/resources/memory".to_owned(),
                format!(
                    "is {asked} bytes, and this worker's operator allows {most}; ask for less, or {}",
                    advice("allow more", "max-memory", "ORCAOPS_MAX_MEMORY", "a larger size")
                ),
            );
        }
        if let (Some(asked), Some(most)) = (resources.pids, self.max_pids)
            && asked > most
        {
            refuse(
                "/sandbox/resources/pids".to_owned(),
                format!(
                    "is {asked}, and this worker's operator allows {most}; ask for less, or {}",
                    advice("allow more", "max-pids", "ORCAOPS_MAX_PIDS", "a larger number")
                ),
            );
        }

        for (n, volume) in spec.volumes.iter().enumerate() {
            if !self.volumes.iter().any(|prefix| is_below(&volume.source, prefix)) {
                let source = &volume.source;
                refuse(
                    format!("/volumes/{n}/source"),
                    format!(
                        "is {source}, which lies below no folder that this worker's operator allows; {}",
                        advice("allow it", "allow-volumes", "ORCAOPS_ALLOW_VOLUMES", "a folder above it")
                    ),
                );
            }
        }
        let network = spec.network.as_str();
        if network != DEFAULT_NETWORK
            && network != NO_NETWORK
            && !self.networks.iter().any(|allowed| allowed == network)
        {
            refuse(
                "/network".to_owned(),
                format!(
                    "is {network}, which this worker's operator does not allow; {}",
                    advice("allow it", "allow-networks", "ORCAOPS_ALLOW_NETWORKS", "its name")
                ),
            );
        }
        if !spec.ports.is_empty() && self.publish.is_none() {
            refuse(
                "/ports".to_owned(),
                format!(
                    "can't be published on this worker's host; {}",
                    advice("allow that", "allow-ports", "ORCAOPS_ALLOW_PORTS", "`true`")
                ),
            );
        }
        if let Some(name) = &spec.registry_auth {
            match self.credentials.get(name) {
                None => refuse(
                    "/registry_auth".to_owned(),
                    format!(
                        "is {name}, and this worker's operator has configured no credential of that name; {}",
                        advice("add it", "credentials", "ORCAOPS_CREDENTIALS", "a file that has it")
                    ),
                ),
                // A build's base images may come from elsewhere than the image goes; see `credential`.
                Some(_) if spec.build.is_some() => {}
                // Else a job could have the password sent wherever it likes.
                Some(credential) if !is_same_registry(&credential.server, registry(&spec.sandbox.image)) => {
                    let (server, image) = (&credential.server, registry(&spec.sandbox.image));
                    refuse(
                        "/registry_auth".to_owned(),
                        format!(
                            "is {name}, a credential for {server}, and /sandbox/image comes from {image}; name a \
                             credential for that registry, or leave the field out"
                        ),
                    );
                }
                Some(_) => {}
            }
        }
        refusals
    }

    /// What a job's credential shows the registry that the image goes to or comes from: nothing, if it is for another
    /// one.
    pub(crate) fn credential(&self, spec: &JobSpec, image: &str) -> Option<&Credential> {
        let credential = self.credentials.get(spec.registry_auth.as_deref()?)?;
        is_same_registry(&credential.server, registry(image)).then_some(credential)
    }
}

impl Policy {
    /// What a job gets that asks for `asked`, where that is not refused: limits too where it names none.
    pub(crate) fn grant(&self, asked: &Resources) -> Resources {
        let pids = self.max_pids.map_or(DEFAULT_PIDS, |most| most.min(DEFAULT_PIDS));
        Resources {
            memory: asked.memory.or(self.max_memory),
            pids: Some(asked.pids.unwrap_or(pids)),
            ..asked.clone()
        }
    }
}

fn advice(what: &str, flag: &str, variable: &str, value: &str) -> String {
    format!("the operator can {what} by setting --{flag} or {variable} to {value}")
}

/// Whether `path` is the folder `prefix` or lies in it, as the two are written. Symbolic links are not looked
/// at: the engine that follows them may run on another machine.
fn is_below(path: &str, prefix: &str) -> bool {
    let names = |path| str::split(path, '/').filter(|name| !name.is_empty() && *name != ".");
    if names(path).any(|name| name == "..") {
        return false;
    }
    let mut path = names(path);
    names(prefix).all(|name| path.next() == Some(name))
}

/// The registry that an image comes from.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => DEFAULT_REGISTRY,
    }
}

/// Whether a credential's server is that registry, however it is written.
fn is_same_registry(server: &str, registry: &str) -> bool {
    let bare = server.split_once("://").map_or(server, |(_, rest)| rest);
    let host = bare.split('/').next().unwrap_or_default();
    let plain = |host: &str| {
        let host = host.to_ascii_lowercase();
        if DEFAULT_REGISTRY_ALIASES.contains(&host.as_str()) { DEFAULT_REGISTRY.to_owned() } else { host }
    };
    plain(host) == plain(registry)
}

#[cfg(test)]
mod tests {
    use orcaops_common::domain::job::JobCommand;
    use orcaops_common::domain::placement::Volume;

    use super::*;

    fn spec() -> JobSpec {
        JobSpec::new("registry.corp:5000/app", vec![JobCommand::shell("true")])
    }

    fn pointers(policy: &Policy, spec: &JobSpec) -> Vec<String> {
        policy.refusals(spec).into_iter().map(|refusal| refusal.pointer).collect()
    }

    fn volume(source: &str) -> Volume {
        Volume { source: source.to_owned(), target: "/data".to_owned(), read_only: false }
    }

    #[test]
    fn a_prefix_is_compared_by_whole_names_and_the_root_only_counts_when_it_is_written() {
        let rows = [
            ("/srv/data", "/srv/data", true),
            ("/srv/data/", "/srv/data", true),
            ("/srv//data/./x", "/srv/data/", true),
            ("/srv/database", "/srv/data", false),
            ("/srv", "/srv/data", false),
            ("/srv/data/../../etc", "/srv/data", false),
            ("/etc", "/", true),
            ("/srv/../etc", "/", false),
        ];
        for (path, prefix, expected) in rows {
            assert_eq!(is_below(path, prefix), expected, "{path} below {prefix}");
        }
    }

    #[test]
    fn by_default_a_job_gets_nothing_of_its_host() {
        let plain = spec();
        assert_eq!(pointers(&Policy::default(), &plain), Vec::<String>::new());
        let greedy = JobSpec {
            volumes: vec![volume("/etc"), volume("/")],
            network: "ci".to_owned(),
            ports: [("80/tcp".to_owned(), 8080)].into(),
            registry_auth: Some("corp".to_owned()),
            ..spec()
        };
        let expected = ["/volumes/0/source", "/volumes/1/source", "/network", "/ports", "/registry_auth"];
        assert_eq!(pointers(&Policy::default(), &greedy), expected);
        for refusal in Policy::default().refusals(&greedy) {
            assert!(refusal.reason.contains("the operator can"), "{refusal}");
            assert!(refusal.reason.contains("ORCAOPS_"), "{refusal}");
        }
    }

    #[test]
    fn a_job_gets_the_operators_limits_where_it_names_none_and_no_more_where_it_does() {
        let asks = |memory, pids| Resources { memory, pids, ..Resources::default() };
        let granted = |policy: &Policy, asked| {
            let granted = policy.grant(&asked);
            (granted.memory, granted.pids)
        };
        let none = Policy::default();
        assert_eq!(granted(&none, asks(None, None)), (None, Some(1024)));
        assert_eq!(granted(&none, asks(Some(1 << 40), Some(9999))), (Some(1 << 40), Some(9999)));
        let limits = Policy { max_memory: Some(1 << 30), max_pids: Some(100), ..Policy::default() };
        assert_eq!(granted(&limits, asks(None, None)), (Some(1 << 30), Some(100)));
        assert_eq!(granted(&limits, asks(Some(1 << 20), Some(7))), (Some(1 << 20), Some(7)));

        let mut greedy = spec();
        greedy.sandbox.resources = asks(Some((1 << 30) + 1), Some(101));
        let expected = ["/sandbox/resources/memory", "/sandbox/resources/pids"];
        assert_eq!(pointers(&limits, &greedy), expected);
        greedy.sandbox.resources = asks(Some(1 << 30), Some(100));
        assert_eq!(pointers(&limits, &greedy), Vec::<String>::new());
    }

    #[test]
    fn what_the_operator_allows_is_granted_and_nothing_beside_it() {
        let credential = Credential {
            server: "https://registry.corp:5000/v2/".to_owned(),
            username: "ci".to_owned(),
            password: "x".to_owned(),
        };
        let policy = Policy {
            volumes: vec!["/srv".to_owned()],
            networks: vec!["ci".to_owned()],
            publish: Some(IpAddr::from([127, 0, 0, 1])),
            credentials: [("corp".to_owned(), credential)].into_iter().collect(),
            ..Policy::default()
        };
        let mut asks = JobSpec {
            volumes: vec![volume("/srv/cache")],
            network: "ci".to_owned(),
            ports: [("80/tcp".to_owned(), 8080)].into(),
            registry_auth: Some("corp".to_owned()),
            ..spec()
        };
        assert_eq!(pointers(&policy, &asks), Vec::<String>::new());
        asks.network = "cid".to_owned();
        asks.volumes.push(volume("/srvx"));
        assert_eq!(pointers(&policy, &asks), ["/volumes/1/source", "/network"]);
        asks = JobSpec { registry_auth: Some("corp".to_owned()), ..spec() };
        asks.sandbox.image = "evil.example/app".to_owned();
        assert_eq!(pointers(&policy, &asks), ["/registry_auth"], "a password goes to its own registry only");
    }

    #[test]
    fn a_build_shows_a_credential_to_its_own_registry_only() {
        let credential = Credential {
            server: "registry.corp".to_owned(),
            username: "ci".to_owned(),
            password: "x".to_owned(),
        };
        let policy = Policy {
            credentials: [("corp".to_owned(), credential.clone())].into_iter().collect(),
            ..Policy::default()
        };
        let mut build = JobSpec { registry_auth: Some("corp".to_owned()), ..spec() };
        assert_eq!(pointers(&policy, &build), ["/registry_auth"]);
        build.build = Some(orcaops_common::domain::build::Build {
            context: "uploads/x".to_owned(),
            dockerfile: "Dockerfile".to_owned(),
            tags: vec!["app:1".to_owned()],
            args: [].into(),
            push: true,
        });
        assert_eq!(pointers(&policy, &build), Vec::<String>::new());
        assert_eq!(policy.credential(&build, "registry.corp/app:1"), Some(&credential));
        assert_eq!(policy.credential(&build, "evil.example/app:1"), None);
        assert_eq!(policy.credential(&spec(), "registry.corp/app:1"), None);
    }

    #[test]
    fn an_image_without_a_registry_comes_from_the_default_one() {
        assert_eq!(registry("alpine:3"), DEFAULT_REGISTRY);
        assert_eq!(registry("library/alpine"), DEFAULT_REGISTRY);
        assert_eq!(registry("localhost/a"), "localhost");
        assert_eq!(registry("127.0.0.1:5000/a:1"), "127.0.0.1:5000");
        assert!(is_same_registry("https://index.docker.io/v1/", DEFAULT_REGISTRY));
        assert!(!is_same_registry("registry.corp", "registry.corp:5000"));
    }
}
