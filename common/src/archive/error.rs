//! Why an archive is refused.

/// An archive can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It can't be read to its end.
    #[error("the archive cannot be read: {0}")]
    Unreadable(String),
    /// It has not even an end mark.
    #[error("the archive is empty; send a tar")]
    Empty,
    /// It is no tar, or a compressed one.
    #[error("this is not a tar: {0}; send one that is not compressed")]
    NotATar(String),
    /// One of its entries may not be unpacked.
    #[error("the archive's entry {path:?} is refused: {reason}")]
    Refused {
        /// The entry, as the archive names it.
        path: String,
        /// What is wrong with it, and how to mend it.
        reason: String,
    },
    /// It has more of something than is allowed.
    #[error("the archive has more than {limit} {what}; leave out what the job does not need")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// Whoever walks it could not take an entry.
    #[error("the archive's entry {path:?} cannot be taken over: {cause}")]
    Interrupted {
        /// The entry.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
}
