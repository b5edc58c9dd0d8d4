//! A sandbox: a job under a name.

use std::collections::BTreeMap;

use crate::domain::job::{JobCommand, JobSpec};
use crate::domain::placement::{CleanupPolicy, Volume};

/// How long a sandbox may run when its entry does not say, in seconds.
pub const DEFAULT_TIMEOUT_SECONDS: u32 = 60;
/// What a job gets beyond its command's timeout, in seconds: to pull the image, and to end.
const SLACK_SECONDS: u32 = 15 * 60;
/// The longest life of a job, in seconds.
const MAX_TTL_SECONDS: u32 = 86_400;

/// A sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// Its name, unique in its file.
    pub name: String,
    /// The image.
    pub image: String,
    /// The program to run and its arguments; the image's own when absent.
    pub command: Option<Vec<String>>,
    /// How long it may run, in seconds.
    pub timeout: u32,
    /// After which results its container is kept.
    pub cleanup_policy: CleanupPolicy,
    /// Ports to publish.
    pub ports: BTreeMap<String, u16>,
    /// Folders of the host to mount, by absolute paths.
    pub volumes: Vec<Volume>,
    /// Its variables.
    pub environment: BTreeMap<String, String>,
    /// Exit codes that count as success.
    pub success_exit_codes: Vec<u8>,
}

impl Sandbox {
    /// The job that runs it.
    #[must_use]
    pub fn job(&self) -> JobSpec {
        let command = match &self.command {
            Some(argv) => JobCommand::argv(argv.iter().cloned()),
            None => JobCommand::of_image(),
        };
        let command = JobCommand {
            timeout_seconds: self.timeout,
            success_exit_codes: self.success_exit_codes.clone(),
            name: Some(self.name.clone()),
            ..command
        };
        let mut job = JobSpec::new(self.image.clone(), vec![command]);
        job.sandbox.env.clone_from(&self.environment);
        job.ttl_seconds = self.timeout.saturating_add(SLACK_SECONDS).min(MAX_TTL_SECONDS);
        job.ports.clone_from(&self.ports);
        job.volumes.clone_from(&self.volumes);
        job.cleanup_policy = self.cleanup_policy;
        job
    }
}
