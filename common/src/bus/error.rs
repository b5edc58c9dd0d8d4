//! What can go wrong on the bus, by what the caller can do about it.

/// A bus operation failed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The bus can't be reached or did not answer in time. Trying again may help.
    #[error("cannot reach the bus at {address}")]
    Unavailable {
        /// Where it was looked for.
        address: String,
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such object or log.
    #[error("the bus has no {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// Nobody serves that address.
    #[error("nobody answers at {address}")]
    NoResponder {
        /// Who was asked.
        address: String,
    },
    /// The message is larger than the bus takes.
    #[error("{what} has {size} bytes; the bus takes at most {limit}")]
    TooLarge {
        /// What was sent.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Stored data can't be read back.
    #[error("the bus holds data that cannot be read: {what}")]
    Corrupt {
        /// Which data, and what is wrong with it.
        what: String,
    },
}

impl BusError {
    /// There is no object of that name.
    pub(super) fn no_object(name: &str) -> Self {
        Self::NotFound { what: format!("object {name}") }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NoResponder { .. })
    }
}
