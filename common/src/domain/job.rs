//! What a user asks for: the job's specification.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::{JobId, PoolName};

/// How long a job may live when its spec does not say, in seconds.
pub const DEFAULT_TTL_SECONDS: u32 = 3600;
/// How long a step may run when its spec does not say, in seconds.
pub const DEFAULT_TIMEOUT_SECONDS: u32 = 300;
/// Where input files go when the spec names no `workdir`.
pub const DEFAULT_WORKDIR: &str = "/workspace";
/// How often a job is tried when attempts end without a result of its own.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 3;

/// A job: commands that run in order in one fresh container, stopping at the first failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Identifies the job. Letters, digits, `_` and `-`, at most 128. Generated when absent; a client that
    /// chooses it can repeat a submission safely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The container the commands run in.
    pub sandbox: SandboxSpec,
    /// What to run, in order. At least one.
    pub commands: Vec<JobCommand>,
    /// Glob patterns of files to keep, resolved in the container after the last step.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub artifacts: Vec<String>,
    /// How long the job may live from its first start, pull and artifacts included. 10 to 86400 seconds.
    #[serde(default = "default_ttl")]
    #[cfg_attr(feature = "openapi", oai(default = "default_ttl"))]
    pub ttl_seconds: u32,
    /// Files put under `workdir` before the first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", oai(default, skip_serializing_if_is_empty))]
    pub inputs: Vec<Input>,
    /// Absolute path in the container: where inputs go (`/workspace` when absent), and the working folder of
    /// steps that name none (`/` when absent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// The pool of workers that may run the job.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub pool: PoolName,
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
}

/// One step. Exactly one of `command` and `argv` is set.
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
    /// Working folder; a relative one starts at the job's `workdir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// How long the step may run, in seconds, 1 to 86400.
    #[serde(default = "default_timeout")]
    #[cfg_attr(feature = "openapi", oai(default = "default_timeout"))]
    pub timeout_seconds: u32,
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
        Self {
            command: Some(command.into()),
            argv: None,
            cwd: None,
            timeout_seconds: DEFAULT_TIMEOUT_SECONDS,
        }
    }

    /// A step run without a shell, with the default timeout.
    #[must_use]
    pub fn argv<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            command: None,
            argv: Some(argv.into_iter().map(Into::into).collect()),
            cwd: None,
            timeout_seconds: DEFAULT_TIMEOUT_SECONDS,
        }
    }

    /// The step as one line for people: the command, or the arguments quoted as a shell would need them.
    #[must_use]
    pub fn display(&self) -> String {
        match (&self.command, &self.argv) {
            (Some(command), _) => command.clone(),
            (None, Some(argv)) => argv.iter().map(|a| quote(a)).collect::<Vec<_>>().join(" "),
            (None, None) => String::new(),
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
            ttl_seconds: DEFAULT_TTL_SECONDS,
            inputs: Vec::new(),
            workdir: None,
            pool: PoolName::default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_vector_is_displayed_as_a_shell_would_need_it() {
        let step = JobCommand::argv(["echo", "a b", "it's", "", "x=1"]);
        assert_eq!(step.display(), r"echo 'a b' 'it'\''s' '' x=1");
    }
}
