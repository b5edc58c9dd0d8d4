//! What a user asks for: the job's specification.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::build::Build;
use super::id::{JobId, PoolName};
use super::placement::{Cache, CleanupPolicy, PullPolicy, Tmpfs, Volume};
use super::retry::Retry;

/// How long a job may live when its spec does not say, in seconds.
pub const DEFAULT_TTL_SECONDS: u32 = 3600;
/// How long a step may run when its spec does not say, in seconds.
pub const DEFAULT_TIMEOUT_SECONDS: u32 = 300;
/// Where input files go when the spec names no `workdir`.
pub const DEFAULT_WORKDIR: &str = "/workspace";
/// The network of jobs that name none: a way out, and no way to each other.
pub const DEFAULT_NETWORK: &str = "default";
/// The network that is none.
pub const NO_NETWORK: &str = "none";

/// A job: commands that run in order in one fresh container, stopping at the first failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Identifies the job. Letters, digits, `_` and `-`, at most 128. Generated when absent; a client that
    /// chooses it can repeat a submission safely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The container the commands run in. The image's own command is run only by a step with `image_command`.
    pub sandbox: SandboxSpec,
    /// What to run, in order. At least one.
    pub commands: Vec<JobCommand>,
    /// Glob patterns of files to keep, resolved in the container after the last step. `*` and `?` stay within a
    /// folder, `**` does not, `{a,b}` is a choice, and a pattern that begins with `!` leaves out what it matches.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub artifacts: Vec<String>,
    /// After which results artifacts are kept.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub artifacts_when: ArtifactsWhen,
    /// How long the job may live from its first start, pull and artifacts included. 10 to 86400 seconds.
    #[serde(default = "default_ttl")]
    #[cfg_attr(feature = "openapi", oai(default = "default_ttl"))]
    pub ttl_seconds: u32,
    /// How long commands that name no `timeout_seconds` of their own may run, in seconds, 1 to 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Files put under `workdir` before the first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub inputs: Vec<Input>,
    /// Absolute path in the container: where inputs go, and the working folder of steps that name none. When
    /// absent, `/workspace` for a job with inputs and `/` for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// The pool of workers that may run the job.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub pool: PoolName,
    /// Names of variables in `env` whose values are masked in logs and records. Artifacts are not masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub secrets: Vec<String>,
    /// Labels of the job's container. Names that begin with `orcaops.` are taken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub labels: BTreeMap<String, String>,
    /// The container's network: `default`, where jobs have a way out and can't reach each other; `none`; or
    /// one that the worker's operator allows.
    #[serde(default = "default_network", skip_serializing_if = "is_default_network")]
    #[cfg_attr(feature = "openapi", oai(default = "default_network"))]
    pub network: String,
    /// Ports of the container to publish on the worker's host, as `"80/tcp": 8082`, where its operator allows
    /// it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub ports: BTreeMap<String, u16>,
    /// Folders of the worker's host to mount, below prefixes that its operator allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub volumes: Vec<Volume>,
    /// Folders that live on between jobs of one worker's host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub cache: Vec<Cache>,
    /// Folders in memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub tmpfs: Vec<Tmpfs>,
    /// When the job is tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub retry: Retry,
    /// After which results the container is kept.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub cleanup_policy: CleanupPolicy,
    /// When the image is pulled.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub pull_policy: PullPolicy,
    /// Name of a credential that the worker's operator configured, to pull the image with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_auth: Option<String>,
    /// Set in jobs that build an image instead of running commands. They are submitted by an endpoint of
    /// their own; in a submission of a job it is an unknown field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
}

/// After which results a job's artifacts are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum ArtifactsWhen {
    /// After every one, a cancellation and the end of the job's time aside.
    #[default]
    Always,
    /// When every command succeeded.
    Success,
    /// When one failed or ran out of time.
    Failure,
}

/// The container that a job's commands run in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct SandboxSpec {
    /// Image reference, at most 256 characters.
    pub image: String,
    /// Environment of every step. It does not show in the container's own configuration.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub env: BTreeMap<String, String>,
    /// What the container may use of its host.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub resources: Resources,
}

/// What a container may use of its host. What is absent is left to the worker's own defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// CPUs, as a number; 0.5 is half a core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Memory in bytes. A submission may also write `512m` or `2g`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processes and threads that may exist at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// How much the container may write to its own file system, in bytes, or as `10g`. Only some storage
    /// drivers can hold to it; with another one the job fails and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// GPUs; a worker without so many fails the job and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
}

/// One step. Exactly one of `command`, `argv` and `image_command` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct JobCommand {
    /// Run as `/bin/sh -c COMMAND`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Run without a shell: the program and its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// Run what the image would run by itself: its entrypoint and its command, in its own working folder where
    /// neither `cwd` nor the job's `workdir` names one.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub image_command: bool,
    /// Working folder; a relative one starts at the job's `workdir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// How long the step may run, in seconds, 1 to 86400. When absent, the job's `timeout_seconds`, or 300.
    #[serde(default = "default_timeout")]
    #[cfg_attr(feature = "openapi", oai(default = "default_timeout"))]
    pub timeout_seconds: u32,
    /// What the step is called in logs and records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Variables of this step alone, over those of the job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub env: BTreeMap<String, String>,
    /// Exit codes that count as success; 0 when absent.
    #[serde(default = "default_success", skip_serializing_if = "is_default_success")]
    #[cfg_attr(feature = "openapi", oai(default = "default_success"))]
    pub success_exit_codes: Vec<u8>,
    /// Whether the job goes on, and may succeed, when this step fails or runs out of time.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub continue_on_error: bool,
    /// After what the step runs.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub when: When,
    /// The user it runs as: a name or a number, with a group after a colon if wanted. The image's own when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// After what a step runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// While no step has failed.
    #[default]
    OnSuccess,
    /// After a step has failed or run out of time, to clean up; its own failure doesn't change the result.
    OnFailure,
    /// In either case.
    Always,
}

/// One input: a file with its content, or an uploaded tar. Exactly one of `content` and `object` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Where the file or the tar's contents go, relative to the job's `workdir`; `.` puts a tar's contents
    /// right there.
    pub path: String,
    /// The file's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// How `content` is written.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub encoding: Encoding,
    /// Name of an uploaded tar, as the upload's answer gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whether the file may be executed.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub executable: bool,
}

/// How an input's `content` is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As it stands.
    #[default]
    Text,
    /// Base64, for content that is not text.
    Base64,
}

impl JobCommand {
    /// A step run by the shell, with the default timeout.
    #[must_use]
    pub fn shell(command: impl Into<String>) -> Self {
        Self::of(Some(command.into()), None)
    }

    /// A step run without a shell, with the default timeout.
    #[must_use]
    pub fn argv<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self::of(None, Some(argv.into_iter().map(Into::into).collect()))
    }

    /// A step that runs what the image would run by itself, with the default timeout.
    #[must_use]
    pub fn of_image() -> Self {
        Self { image_command: true, ..Self::of(None, None) }
    }

    fn of(command: Option<String>, argv: Option<Vec<String>>) -> Self {
        Self {
            command,
            argv,
            image_command: false,
            cwd: None,
            timeout_seconds: DEFAULT_TIMEOUT_SECONDS,
            name: None,
            env: BTreeMap::new(),
            success_exit_codes: default_success(),
            continue_on_error: false,
            when: When::default(),
            user: None,
        }
    }

    /// Whether the step succeeded when it exited by itself with that code.
    #[must_use]
    pub fn is_success(&self, exit_code: i32) -> bool {
        self.success_exit_codes.iter().any(|code| i32::from(*code) == exit_code)
    }

    /// The step as one line for people: the command, or the arguments quoted as a shell would need them.
    #[must_use]
    pub fn display(&self) -> String {
        match (&self.command, &self.argv) {
            (Some(command), _) => command.clone(),
            (None, Some(argv)) => argv.iter().map(|a| quote(a)).collect::<Vec<_>>().join(" "),
            (None, None) => "(the image's own command)".to_owned(),
        }
    }
}

impl JobSpec {
    /// A job of the given steps and nothing else.
    #[must_use]
    pub fn new(image: impl Into<String>, commands: Vec<JobCommand>) -> Self {
        Self {
            job_id: None,
            sandbox: SandboxSpec {
                image: image.into(),
                env: BTreeMap::new(),
                resources: Resources::default(),
            },
            commands,
            artifacts: Vec::new(),
            artifacts_when: ArtifactsWhen::default(),
            ttl_seconds: DEFAULT_TTL_SECONDS,
            timeout_seconds: None,
            inputs: Vec::new(),
            workdir: None,
            pool: PoolName::default(),
            secrets: Vec::new(),
            labels: BTreeMap::new(),
            network: default_network(),
            ports: BTreeMap::new(),
            volumes: Vec::new(),
            cache: Vec::new(),
            tmpfs: Vec::new(),
            retry: Retry::default(),
            cleanup_policy: CleanupPolicy::default(),
            pull_policy: PullPolicy::default(),
            registry_auth: None,
            build: None,
        }
    }
}

fn quote(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', r"'\''"))
    }
}

fn default_ttl() -> u32 {
    DEFAULT_TTL_SECONDS
}

fn default_timeout() -> u32 {
    DEFAULT_TIMEOUT_SECONDS
}

fn default_network() -> String {
    DEFAULT_NETWORK.to_owned()
}

fn is_default_network(network: &str) -> bool {
    network == DEFAULT_NETWORK
}

fn default_success() -> Vec<u8> {
    vec![0]
}

fn is_default_success(codes: &[u8]) -> bool {
    codes == [0]
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_vector_is_displayed_as_a_shell_would_need_it() {
        let step = JobCommand::argv(["echo", "a b", "it's", "", "x=1"]);
        assert_eq!(step.display(), r"echo 'a b' 'it'\''s' '' x=1");
    }
}
