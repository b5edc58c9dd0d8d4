//! What became of a job: its record.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{JobId, PoolName, WorkerName};

/// Where a job stands. `success`, `failed`, `timed_out` and `cancelled` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Accepted, not running: not taken yet, or waiting for its next attempt.
    Queued,
    /// A worker has it.
    Running,
    /// Every command exited with 0.
    Success,
    /// A command failed, or the job could not be run.
    Failed,
    /// A command ran over its timeout, or the job over its TTL.
    TimedOut,
    /// Cancelled by a user.
    Cancelled,
}

impl JobStatus {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Success, Self::Failed, Self::TimedOut, Self::Cancelled];

    /// Whether nothing can change it any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Success | Self::Failed | Self::TimedOut | Self::Cancelled => true,
        }
    }

    /// The name used in JSON, in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }
}

/// Why a job ended, from a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The commands exited by themselves.
    Exit,
    /// A command was ended by a signal that OrcaOps did not send.
    Signal,
    /// A command was ended for using more memory than allowed.
    Oom,
    /// A command ran over its timeout.
    Timeout,
    /// The job ran over its TTL.
    Ttl,
    /// A user cancelled it.
    Cancelled,
    /// Its workers fell silent until no attempt was left.
    Lost,
    /// The image could not be had.
    Image,
    /// The container engine failed.
    Engine,
    /// Artifacts or inputs could not be moved.
    Artifacts,
    /// A disk was full.
    Disk,
    /// An operator's rule forbids it.
    Policy,
}

impl EndCause {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Exit,
        Self::Signal,
        Self::Oom,
        Self::Timeout,
        Self::Ttl,
        Self::Cancelled,
        Self::Lost,
        Self::Image,
        Self::Engine,
        Self::Artifacts,
        Self::Disk,
        Self::Policy,
    ];

    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Oom => "oom",
            Self::Timeout => "timeout",
            Self::Ttl => "ttl",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Image => "image",
            Self::Engine => "engine",
            Self::Artifacts => "artifacts",
            Self::Disk => "disk",
            Self::Policy => "policy",
        }
    }

    /// The cause of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == name)
    }
}

/// What became of a job's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum CleanupStatus {
    /// Gone, or never made.
    Destroyed,
    /// Removal failed; the sweeper will try again.
    Leaked,
    /// Kept on purpose.
    Kept,
    /// Still to be removed.
    Pending,
}

impl CleanupStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Destroyed, Self::Leaked, Self::Kept, Self::Pending];

    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Destroyed => "destroyed",
            Self::Leaked => "leaked",
            Self::Kept => "kept",
            Self::Pending => "pending",
        }
    }

    /// The status of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == name)
    }
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct StepResult {
    /// The command, or the argument vector as one line.
    pub command: String,
    /// The exit code: 124 over the timeout, 128 + n after signal n.
    pub exit_code: i32,
    /// Standard output: head and tail with a mark between them where it was long. Bytes that are not UTF-8
    /// are replaced here, not in the log.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// Wall time from start to end, in seconds.
    pub duration_seconds: f64,
    /// When the step ended.
    pub timestamp: DateTime<Utc>,
    /// The signal that ended the step, if one did.
    #[serde(default)]
    pub signal: Option<i32>,
    /// All bytes written to standard output, kept or not.
    #[serde(default)]
    pub stdout_bytes: u64,
    /// All bytes written to standard error, kept or not.
    #[serde(default)]
    pub stderr_bytes: u64,
    /// Processor time of the step's processes, user and system, in seconds.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// The largest resident set of any of the step's processes, in bytes.
    #[serde(default)]
    pub max_rss_bytes: Option<u64>,
    /// The step's place in the spec, from 0: steps that were passed over have no result.
    #[serde(default)]
    pub index: Option<u32>,
    /// What the spec calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it succeeded: it exited by itself with one of its `success_exit_codes`.
    #[serde(default)]
    pub success: Option<bool>,
}

/// A file that a job left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ArtifactMetadata {
    /// The file's name.
    pub name: String,
    /// Its path below the job's folder, sub-folders included.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
    /// Its permission bits in octal, such as `0644`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

impl ArtifactMetadata {
    /// The permission bits that a copy of it gets outside of its container: its own, but that its owner can always
    /// read and replace it, and that not everybody can write it. Never set-uid, set-gid or sticky. `None` when its
    /// bits are not known.
    #[must_use]
    pub fn copy_mode(&self) -> Option<u32> {
        let mode = u32::from_str_radix(self.mode.as_deref()?, 8).ok()?;
        Some((mode & 0o775) | 0o600)
    }
}

/// All that is known about a job. It exists from submission on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct RunRecord {
    /// The job.
    pub job_id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// When its first attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The container's id.
    pub sandbox_id: Option<String>,
    /// The image it ran, as the spec names it.
    pub image_ref: Option<String>,
    /// What the current attempt's steps did, in order.
    pub steps: Vec<StepResult>,
    /// The files that it left behind.
    pub artifacts: Vec<ArtifactMetadata>,
    /// What became of the container.
    pub cleanup_status: Option<CleanupStatus>,
    /// When its time to live ends or ended.
    pub ttl_expiry: Option<DateTime<Utc>>,
    /// SHA-256 of what determines its result.
    pub fingerprint: Option<String>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The worker that has or had it.
    #[serde(default)]
    pub worker: Option<WorkerName>,
    /// The number of its current attempt, from 1; 0 before the first.
    #[serde(default)]
    pub attempt: u32,
    /// Why it ended.
    #[serde(default)]
    pub end_cause: Option<EndCause>,
    /// Why it is not running yet.
    #[serde(default)]
    pub waiting_reason: Option<String>,
    /// The pool it was sent to.
    #[serde(default)]
    pub pool: PoolName,
    /// What its user should know though it decided nothing: patterns that matched no file, files left out, a log
    /// that was cut.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub notes: Vec<String>,
    /// The image that it built, if it was to build one.
    #[serde(default)]
    pub built_image: Option<BuiltImage>,
}

/// An image that a job built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct BuiltImage {
    /// Its id on the engine that built it.
    pub id: String,
    /// The names it got.
    pub tags: Vec<String>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether it was pushed to where its names say.
    pub pushed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copys_permissions_are_its_own_within_reason() {
        let copy = |mode: Option<&str>| {
            let mode = mode.map(str::to_owned);
            let (name, path, sha256) = (String::new(), String::new(), String::new());
            ArtifactMetadata { name, path, size_bytes: 0, sha256, mode }.copy_mode()
        };
        for (mode, expected) in [
            ("0644", 0o644),
            ("0755", 0o755),
            ("0550", 0o750),
            ("0000", 0o600),
            ("0777", 0o775),
            ("4755", 0o755),
            ("7777", 0o775),
        ] {
            assert_eq!(copy(Some(mode)), Some(expected), "{mode}");
        }
        assert_eq!((copy(None), copy(Some("rwx"))), (None, None));
    }
}
