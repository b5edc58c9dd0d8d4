//! What can go wrong with the engine, by what an attempt can do about it.

use std::time::Duration;

use bollard::errors::Error;
use orcaops_common::domain::run::EndCause;

/// An engine operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The engine can't be reached.
    #[error(
        "cannot reach the Docker engine at {address}: {reason}; start it, or set DOCKER_HOST to where it listens"
    )]
    Unavailable {
        /// Where it was looked for.
        address: String,
        /// What the driver said.
        reason: String,
    },
    /// The engine refused or failed.
    #[error("cannot {what}: {reason}")]
    Failed {
        /// What was tried.
        what: String,
        /// What the engine said.
        reason: String,
        /// Whose fault it is.
        failure: Failure,
    },
    /// The init in the container broke off or broke the protocol.
    #[error("lost the container: {0}")]
    Session(String),
}

/// What a failure means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The image does not exist, may not be had, or the spec asks for what the engine can't give.
    Permanent(EndCause),
    /// Another attempt may fare better.
    Transient(EndCause),
}

impl EngineError {
    /// What this means for the job.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Failed { failure, .. } => *failure,
            Self::Unavailable { .. } | Self::Session(_) => Failure::Transient(EndCause::Engine),
        }
    }

    /// An engine call that failed while trying `what`.
    pub(crate) fn of(what: impl Into<String>, error: &Error) -> Self {
        let (reason, failure) = match error {
            // 400: the engine understood, and can't give what the spec asks for.
            Error::DockerResponseServerError { status_code: 400, message } => {
                (message.clone(), Failure::Permanent(EndCause::Engine))
            }
            Error::DockerResponseServerError { message, .. } => {
                (message.clone(), Failure::Transient(cause(message)))
            }
            other => (other.to_string(), Failure::Transient(cause(&other.to_string()))),
        };
        Self::Failed { what: what.into(), reason: reason.trim().to_owned(), failure }
    }

    /// An engine that was asked to do `what` and said nothing for so long.
    pub(crate) fn silent(what: &str, patience: Duration) -> Self {
        Self::Failed {
            what: what.to_owned(),
            reason: format!("the engine did not answer within {} s", patience.as_secs()),
            failure: Failure::Transient(EndCause::Engine),
        }
    }

    /// What the engine does not have or can't do, and the spec asks for.
    pub(crate) fn refused(what: impl Into<String>, reason: impl Into<String>, cause: EndCause) -> Self {
        Self::Failed { what: what.into(), reason: reason.into(), failure: Failure::Permanent(cause) }
    }

    /// A pull that failed. `credential` names what the registry was shown.
    pub(crate) fn pull(image: &str, credential: Option<&str>, reason: &str) -> Self {
        let failure = if says(&NO_SUCH_IMAGE, reason) || says(&NOT_ALLOWED, reason) {
            Failure::Permanent(EndCause::Image)
        } else {
            match cause(reason) {
                EndCause::Disk => Failure::Transient(EndCause::Disk),
                _ => Failure::Transient(EndCause::Image),
            }
        };
        let advice = match credential {
            _ if !says(&NOT_ALLOWED, reason) => String::new(),
            None => {
                "; if it is a private one, name a credential of the worker's in /registry_auth".to_owned()
            }
            Some(name) => format!("; the registry was shown the credential {name} of /registry_auth"),
        };
        let reason = format!("{}{advice}", reason.trim());
        Self::Failed { what: format!("pull image {image}"), reason, failure }
    }
}

/// The status of a refusal by the engine.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

fn cause(reason: &str) -> EndCause {
    if reason.contains("no space left on device") { EndCause::Disk } else { EndCause::Engine }
}

/// What engines say of an image that does not exist. They say it in words only.
const NO_SUCH_IMAGE: [&str; 4] =
    ["not found", "manifest unknown", "does not exist", "invalid reference format"];
/// What they say of one that may not be had.
const NOT_ALLOWED: [&str; 5] =
    ["access denied", "denied:", "unauthorized", "no basic auth credentials", "authentication required"];

fn says(words: &[&str], reason: &str) -> bool {
    let reason = reason.to_lowercase();
    words.iter().any(|word| reason.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_does_not_exist_is_not_tried_again() {
        let gone = "pull access denied for nope, repository does not exist or may require 'docker login'";
        assert_eq!(EngineError::pull("nope", None, gone).failure(), Failure::Permanent(EndCause::Image));
        let net = "Get \"https://registry.example/v2/\": dial tcp: i/o timeout";
        assert_eq!(EngineError::pull("nope", None, net).failure(), Failure::Transient(EndCause::Image));
        let full = "write /var/lib/docker/tmp/x: no space left on device";
        assert_eq!(EngineError::pull("nope", None, full).failure(), Failure::Transient(EndCause::Disk));
    }
}
