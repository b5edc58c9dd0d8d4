//! The specification as a whole.

use std::io;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::choice::choice;
use super::command::{TIMEOUT_SECONDS, command};
use super::error::Invalid;
use super::input::inputs;
use super::node::{Fields, Node};
use super::pattern::patterns;
use super::placement::{
    absolute, cache, check_mounts, check_ports, labels, network, plain_name, ports, tmpfs, volumes,
};
use super::report::Report;
use super::retry::retry;
use super::sandbox::sandbox;
use super::secret;
use crate::domain::id::{InvalidName, JobId, PoolName};
use crate::domain::job::{ArtifactsWhen, DEFAULT_TTL_SECONDS, JobCommand, JobSpec, When};
use crate::domain::placement::{CleanupPolicy, PullPolicy};

/// The longest specification, in bytes of compact JSON: it must fit into a message on the bus.
pub const MAX_SPEC_BYTES: usize = 512 * 1024;
/// The most steps of a job.
const MAX_COMMANDS: usize = 1000;
/// How long a job may live, in seconds.
const TTL_SECONDS: RangeInclusive<u32> = 10..=86_400;

const FIELDS: [&str; 22] = [
    "job_id",
    "sandbox",
    "commands",
    "artifacts",
    "artifacts_when",
    "ttl_seconds",
    "timeout_seconds",
    "inputs",
    "workdir",
    "pool",
    "secrets",
    "labels",
    "network",
    "ports",
    "volumes",
    "cache",
    "tmpfs",
    "retry",
    "cleanup_policy",
    "pull_policy",
    "registry_auth",
    // Known, to say that it is not used.
    ENTRYPOINT,
];
const ENTRYPOINT: &str = "entrypoint";

/// After which results artifacts may be kept.
const ARTIFACTS_WHEN: [(&str, ArtifactsWhen); 3] = [
    ("always", ArtifactsWhen::Always),
    ("success", ArtifactsWhen::Success),
    ("failure", ArtifactsWhen::Failure),
];
/// When an image may be pulled.
const PULL: [(&str, PullPolicy); 3] = [
    ("always", PullPolicy::Always),
    ("if_not_present", PullPolicy::IfNotPresent),
    ("never", PullPolicy::Never),
];

impl JobSpec {
    /// Reads and checks a specification.
    ///
    /// # Errors
    /// Everything that is wrong with it, each thing with its field.
    pub fn from_json(value: &Value) -> Result<Self, Invalid> {
        let mut report = Report::default();
        let spec = read(&Node::new(value), &mut report);
        report.finish(spec)
    }
}

fn read(node: &Node<'_>, report: &mut Report) -> Option<JobSpec> {
    let size = size(node.value);
    if size > MAX_SPEC_BYTES {
        let advice = "send large inputs as an upload";
        let message = format!("has {size} bytes as JSON; at most {MAX_SPEC_BYTES} are allowed; {advice}");
        return node.fail(report, message);
    }
    let fields = node.fields(report, &FIELDS)?;

    if let Some(entrypoint) = fields.with_default(ENTRYPOINT) {
        entrypoint.fail::<()>(
            report,
            "is not used: commands run without the image's entrypoint; put the program into `commands`",
        );
    }

    // Everything is read before anything is given up, so that all errors are found.
    let job_id = fields.optional("job_id").map(|node| name(&node, report, "the job id ", JobId::new));
    let sandbox = fields
        .required(report, "sandbox", "name the image to run in, as in {\"image\": \"alpine:3\"}")
        .and_then(|node| sandbox(&node, report));
    let timeout = fields.optional("timeout_seconds").map(|node| node.integer(report, TIMEOUT_SECONDS));
    let commands = fields
        .required(report, "commands", "give at least one, as in [{\"command\": \"echo hi\"}]")
        .and_then(|node| commands(&node, report, timeout.flatten()));
    let artifacts = fields.with_default("artifacts").map(|node| patterns(&node, report));
    let artifacts_when =
        fields.with_default("artifacts_when").map(|node| choice(&node, report, &ARTIFACTS_WHEN));
    let ttl = fields.with_default("ttl_seconds").map(|node| node.integer(report, TTL_SECONDS));
    let inputs = fields.with_default("inputs").map(|node| inputs(&node, report));
    let workdir = fields.optional("workdir").map(|node| absolute(&node, report));
    let pool = fields.with_default("pool").map(|node| name(&node, report, "the pool name ", PoolName::new));
    let secrets = fields.with_default("secrets").map(|node| secret::secrets(&node, report));
    let rest = rest(&fields, report);

    let spec = JobSpec {
        job_id: given(job_id)?,
        artifacts: given(artifacts)?.unwrap_or_default(),
        artifacts_when: given(artifacts_when)?.unwrap_or_default(),
        ttl_seconds: given(ttl)?.unwrap_or(DEFAULT_TTL_SECONDS),
        timeout_seconds: given(timeout)?,
        inputs: given(inputs)?.unwrap_or_default(),
        workdir: given(workdir)?,
        pool: given(pool)?.unwrap_or_default(),
        secrets: given(secrets)?.unwrap_or_default(),
        sandbox: sandbox?,
        commands: commands?,
        ..rest?
    };
    secret::check(report, &spec.secrets, &spec.sandbox.env, &spec.commands);
    Some(spec)
}

/// What the container gets of its host, and what becomes of the job and the container afterwards.
fn rest(fields: &Fields<'_>, report: &mut Report) -> Option<JobSpec> {
    let labels = fields.with_default("labels").map(|node| labels(&node, report));
    let network = fields.with_default("network").map(|node| network(&node, report));
    let ports = fields.with_default("ports").map(|node| ports(&node, report));
    let volumes = fields.with_default("volumes").map(|node| volumes(&node, report));
    let cache = fields.with_default("cache").map(|node| cache(&node, report));
    let tmpfs = fields.with_default("tmpfs").map(|node| tmpfs(&node, report));
    let retry = fields.with_default("retry").map(|node| retry(&node, report));
    let policies = CleanupPolicy::ALL.map(|policy| (policy.as_str(), policy));
    let cleanup = fields.with_default("cleanup_policy").map(|node| choice(&node, report, &policies));
    let pull = fields.with_default("pull_policy").map(|node| choice(&node, report, &PULL));
    let registry_auth = fields.optional("registry_auth").map(|node| plain_name(&node, report));
    let plain = JobSpec::new("", Vec::new());
    let spec = JobSpec {
        labels: given(labels)?.unwrap_or_default(),
        network: given(network)?.unwrap_or_else(|| plain.network.clone()),
        ports: given(ports)?.unwrap_or_default(),
        volumes: given(volumes)?.unwrap_or_default(),
        cache: given(cache)?.unwrap_or_default(),
        tmpfs: given(tmpfs)?.unwrap_or_default(),
        retry: given(retry)?.unwrap_or_default(),
        cleanup_policy: given(cleanup)?.unwrap_or_default(),
        pull_policy: given(pull)?.unwrap_or_default(),
        registry_auth: given(registry_auth)?,
        ..plain
    };
    check_mounts(report, &spec.volumes, &spec.cache, &spec.tmpfs);
    check_ports(report, &spec.network, &spec.ports);
    Some(spec)
}

/// Turns "there or not, and readable or not" round: `None` only for what is there and can't be read.
pub(super) fn given<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    match field {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

fn commands(node: &Node<'_>, report: &mut Report, timeout: Option<u32>) -> Option<Vec<JobCommand>> {
    let items = node.items(report, MAX_COMMANDS)?;
    if items.is_empty() {
        return node.fail(report, "is empty; give at least one command");
    }
    let commands: Vec<_> = items.iter().map(|item| command(item, report, timeout)).collect();
    let commands: Vec<JobCommand> = commands.into_iter().collect::<Option<_>>()?;
    if commands.iter().all(|command| command.when == When::OnFailure) {
        return node.fail(report, "only has steps for after a failure; add one that runs before");
    }
    Some(commands)
}

fn name<T>(
    node: &Node<'_>,
    report: &mut Report,
    what: &str,
    new: impl Fn(String) -> Result<T, InvalidName>,
) -> Option<T> {
    match new(node.string(report)?.to_owned()) {
        Ok(name) => Some(name),
        // The field's pointer names it already.
        Err(InvalidName(problem)) => node.fail(report, problem.strip_prefix(what).unwrap_or(&problem)),
    }
}

/// The size of a value as compact JSON.
fn size(value: &Value) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Neither a JSON value nor the counter can fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}
