//! When a job is tried again, and after which pause.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often a job is tried when its spec does not say.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 3;
/// The pause after the first attempt when the spec does not say, in seconds.
pub const DEFAULT_INITIAL_SECONDS: u32 = 1;
/// The longest pause when the spec does not say, in seconds.
pub const DEFAULT_MAX_SECONDS: u32 = 60;

/// When a job is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object), oai(default))]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// How often it is tried in all, 1 to 20.
    pub max_attempts: u32,
    /// After what it is tried again.
    pub on: Vec<RetryOn>,
    /// The pause before it is.
    pub backoff: Backoff,
}

/// After what a job is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// The worker fell silent, the engine failed, the image could not be pulled for now.
    Infrastructure,
    /// A command failed.
    Failure,
    /// A command ran out of time. A job whose `ttl_seconds` are over is never tried again.
    Timeout,
}

/// The pause between two attempts: it begins with `initial_seconds` and doubles up to `max_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object), oai(default))]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// The pause after the first attempt, in seconds, 0 to 3600.
    pub initial_seconds: u32,
    /// The longest pause, in seconds, 0 to 3600.
    pub max_seconds: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: DEFAULT_MAX_ATTEMPTS,
            on: vec![RetryOn::Infrastructure],
            backoff: Backoff::default(),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_seconds: DEFAULT_INITIAL_SECONDS, max_seconds: DEFAULT_MAX_SECONDS }
    }
}

impl Retry {
    /// Whether the job is tried again after that, where attempts are left.
    #[must_use]
    pub fn is_on(&self, what: RetryOn) -> bool {
        self.on.contains(&what)
    }
}

impl Backoff {
    /// How long a run waits before its next dispatch after `spent` attempts.
    #[must_use]
    pub fn pause(&self, spent: u32) -> Duration {
        let doublings = spent.saturating_sub(1).min(16);
        let seconds = u64::from(self.initial_seconds) << doublings;
        Duration::from_secs(seconds.min(self.max_seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_limit() {
        let seconds = |spent| Backoff::default().pause(spent).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 100, u32::MAX].map(seconds), [1, 1, 2, 4, 32, 60, 60, 60]);
        let none = Backoff { initial_seconds: 0, max_seconds: 60 };
        assert_eq!(none.pause(5), Duration::ZERO);
    }
}
