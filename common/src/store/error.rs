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
    /// The address of the database is not one that can be used.
    #[error("cannot use the database address `{address}`: {problem}")]
    Address {
        /// The address, without credentials.
        address: String,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// The database's tables can't be brought to the form that this version needs.
    #[error(
        "cannot prepare the tables of the database at {address}; is another version of OrcaOps using it?"
    )]
    Migration {
        /// Where the database is, without credentials.
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
