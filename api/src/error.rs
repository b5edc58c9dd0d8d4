//! Why an API replica could not start.

use std::net::SocketAddr;
use std::path::PathBuf;

/// An API replica could not start.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address can't be had.
    #[error("cannot listen on {address}; choose another address with --listen")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The folder of the run layout can't be used.
    #[error("cannot use {} for artifacts; make it writable or choose another with --home", path.display())]
    Artifacts {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

/// An error and all its causes as one line, for logs.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
