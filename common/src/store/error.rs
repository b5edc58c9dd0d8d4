//! What can go wrong in the store, by what the caller can do about it.

/// A store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached or did not answer in time. Trying again may help.
    #[error("cannot reach the database at {address}")]
    Unavailable {
        /// Where it was looked for, without credentials.
        address: String,
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Stored data can't be read back.
    #[error("the database holds data that cannot be read: {what}")]
    Corrupt {
        /// Which data, and what is wrong with it.
        what: String,
    },
    /// The database refuses what no caller should ask.
    #[error("the database refused a statement")]
    Internal {
        /// What the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
