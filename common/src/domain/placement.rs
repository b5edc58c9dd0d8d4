//! What a job's container gets of its host beside limits, and what becomes of it afterwards.

use serde::{Deserialize, Serialize};

use super::run::JobStatus;

/// A folder of the worker's host, mounted into the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Absolute path on the host, below a prefix that the operator allows.
    pub source: String,
    /// Absolute path in the container.
    pub target: String,
    /// Whether the job may only read it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub read_only: bool,
}

/// A folder that lives on between the jobs of a host that name its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Names it: letters, digits, `.`, `_` and `-`, at most 128. Jobs of one fleet that name the same key share
    /// the folder, also at the same time.
    pub key: String,
    /// Absolute path in the container.
    pub path: String,
}

/// A folder in memory. What it holds counts as the container's memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[serde(deny_unknown_fields)]
pub struct Tmpfs {
    /// Absolute path in the container.
    pub path: String,
    /// How much it may hold, in bytes. A submission may also write `64m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum PullPolicy {
    /// Before every job.
    Always,
    /// When the host doesn't have it.
    #[default]
    IfNotPresent,
    /// Never: a job whose image is not on the host fails.
    Never,
}

/// After which results a job's container is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum CleanupPolicy {
    /// After none.
    #[default]
    AlwaysRemove,
    /// After a failure, a timeout and a cancellation.
    RemoveOnCompletion,
    /// After a success and a failure.
    KeepOnCompletion,
    /// The same: removed only after a timeout or a cancellation.
    RemoveOnTimeout,
    /// After every one.
    NeverRemove,
}

impl CleanupPolicy {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::AlwaysRemove,
        Self::RemoveOnCompletion,
        Self::KeepOnCompletion,
        Self::RemoveOnTimeout,
        Self::NeverRemove,
    ];

    /// The name used in JSON and in sandbox files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlwaysRemove => "always_remove",
            Self::RemoveOnCompletion => "remove_on_completion",
            Self::KeepOnCompletion => "keep_on_completion",
            Self::RemoveOnTimeout => "remove_on_timeout",
            Self::NeverRemove => "never_remove",
        }
    }

    /// Whether the container of a job that ended so is kept. One that counts for nothing is never kept.
    #[must_use]
    pub fn keeps(self, status: JobStatus) -> bool {
        use JobStatus::{Cancelled, Failed, Queued, Running, Success, TimedOut};
        match (self, status) {
            (_, Queued | Running) | (Self::AlwaysRemove, _) => false,
            (Self::RemoveOnCompletion, status) => status != Success,
            (Self::KeepOnCompletion | Self::RemoveOnTimeout, Success | Failed) => true,
            (Self::KeepOnCompletion | Self::RemoveOnTimeout, TimedOut | Cancelled) => false,
            (Self::NeverRemove, _) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_keeps_what_its_row_says() {
        use JobStatus::{Cancelled, Failed, Success, TimedOut};
        let rows = [
            (CleanupPolicy::AlwaysRemove, [false, false, false]),
            (CleanupPolicy::RemoveOnCompletion, [false, true, true]),
            (CleanupPolicy::KeepOnCompletion, [true, true, false]),
            (CleanupPolicy::RemoveOnTimeout, [true, true, false]),
            (CleanupPolicy::NeverRemove, [true, true, true]),
        ];
        for (policy, kept) in rows {
            assert_eq!([Success, Failed, TimedOut].map(|s| policy.keeps(s)), kept, "{policy:?}");
            assert_eq!(policy.keeps(Cancelled), policy.keeps(TimedOut), "cancelled counts as timed out");
        }
    }
}
