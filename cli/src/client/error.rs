//! What can go wrong between here and the API, by what the user can do about it.

use std::path::PathBuf;

use orcaops_common::config::without_credentials;
use serde::Deserialize;

/// A call of the API failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The address is none.
    #[error("`{address}` is no address of a server; write it as http://host:port or https://host:port")]
    Address {
        /// As it was given.
        address: String,
    },
    /// Nobody answers there.
    #[error(
        "cannot reach the OrcaOps API at {address}: {reason}; start it with `orcaops dev`, correct --server or \
         ORCAOPS_URL, or unset them to use this machine"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The connection broke off.
    #[error("lost the connection to the OrcaOps API at {address}: {reason}")]
    Broken {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// It refused, and said why.
    #[error("{0}")]
    Problem(Problem),
    /// It answered with an error that is no problem document: probably something else listens there.
    #[error("{address} answered {status}, and not as an OrcaOps API does; is it one?")]
    Alien {
        /// Where.
        address: String,
        /// The HTTP status.
        status: u16,
    },
    /// It answered something that can't be read.
    #[error("{address} answered what this version of orcaops cannot read; are both of one version?")]
    Unreadable {
        /// Where.
        address: String,
        /// What can't be read.
        #[source]
        cause: serde_json::Error,
    },
    /// A file can't be written or read here.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// What was fetched is not what the record says.
    #[error("the file {path} came with other content than the record says; fetch it again")]
    Corrupt {
        /// Its path among the artifacts.
        path: String,
    },
    /// The name of an artifact leads out of the folder it is to be put into.
    #[error("the artifact's path `{path}` is refused: {reason}")]
    Path {
        /// Its path among the artifacts.
        path: String,
        /// Why.
        reason: String,
    },
}

impl ClientError {
    /// A request that got no answer, or half of one.
    pub(super) fn of(address: &str, error: &reqwest::Error) -> Self {
        let address = without_credentials(address);
        let reason = innermost(error);
        if error.is_builder() {
            Self::Address { address }
        } else if error.is_connect() {
            Self::Unreachable { address, reason }
        } else {
            Self::Broken { address, reason }
        }
    }

    /// Whether the same call may succeed in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => true,
            Self::Problem(problem) => problem.status == 503,
            // A proxy that has lost the server behind it.
            Self::Alien { status, .. } => (502..=504).contains(status),
            _ => false,
        }
    }

    /// Whether there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }
}

/// The cause that says most: `connection refused` rather than `error sending request`.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // The number behind it says nothing more.
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Problem {
    /// What kind of problem it is, in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened this time.
    #[serde(default)]
    pub(crate) detail: String,
    /// The fields that are wrong.
    #[serde(default)]
    pub(crate) errors: Vec<FieldProblem>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct FieldProblem {
    /// Where.
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// Title and detail, or title and a line for each field.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.title)?;
        if self.errors.is_empty() && !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        for FieldProblem { pointer, detail } in &self.errors {
            let pointer = if pointer.is_empty() { "(the whole)" } else { pointer };
            write!(f, "\n  {pointer}: {detail}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_becomes_sentences() {
        let shown = |json: &str| serde_json::from_str::<Problem>(json).unwrap().to_string();
        insta::assert_snapshot!(shown(r#"{"title": "No such job", "status": 404, "detail": "there is no job `x`"}"#),
            @"No such job: there is no job `x`");
        insta::assert_snapshot!(shown(r#"{"title": "Invalid job spec", "status": 422, "detail": "2 fields are invalid",
            "errors": [{"pointer": "/sandbox/image", "detail": "is empty"}, {"pointer": "", "detail": "is no object"}]}"#), @r"
        Invalid job spec
          /sandbox/image: is empty
          (the whole): is no object
        ");
    }

    #[test]
    fn a_refused_connection_says_where_and_what_to_do() {
        let error = ClientError::Unreachable {
            address: "http://ci:8000".into(),
            reason: "connection refused".into(),
        };
        insta::assert_snapshot!(error, @"cannot reach the OrcaOps API at http://ci:8000: connection refused; start it with `orcaops dev`, correct --server or ORCAOPS_URL, or unset them to use this machine");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let problem = |status| {
            ClientError::Problem(Problem {
                title: String::new(),
                status,
                detail: String::new(),
                errors: vec![],
            })
        };
        assert!(problem(503).is_transient());
        assert!(!problem(409).is_transient() && !problem(500).is_transient());
    }
}
