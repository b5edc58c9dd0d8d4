//! The driver's errors in the bus' own words.

use async_nats::jetstream::context::{PublishError, PublishErrorKind};

use super::NatsBus;
use crate::bus::BusError;

impl NatsBus {
    /// A failure that trying again may mend.
    pub(super) fn unavailable(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BusError {
        unavailable(&self.address, cause)
    }
}

/// A failure that trying again may mend.
pub(super) fn unavailable(
    address: &str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> BusError {
    BusError::Unavailable { address: address.to_owned(), cause: cause.into() }
}

/// Whether a message was not taken because its stream is gone.
pub(super) fn stream_is_gone(error: &PublishError) -> bool {
    matches!(error.kind(), PublishErrorKind::StreamNotFound)
}
