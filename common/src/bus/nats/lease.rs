//! The hold on a delivered message.

use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use async_nats::{Client, Subject};
use async_trait::async_trait;

use super::error::unavailable;
use crate::bus::{BusError, Lease};

/// The hold on a delivered message. Every answer is confirmed by the server: one that was only sent may never
/// arrive, and a lease that was not extended must be known to be so.
pub(super) struct NatsLease {
    client: Client,
    /// `None` for a message that no stream sent.
    reply: Option<Subject>,
    address: String,
}

impl NatsLease {
    pub(super) fn new(message: &mut Message, address: &str) -> Self {
        Self {
            client: message.context.client(),
            reply: message.message.reply.take(),
            address: address.to_owned(),
        }
    }

    /// A request like any other, not the driver's own double ack: that one takes "nobody is there", which is
    /// what a stream that is lost says, for a yes.
    async fn answer(&self, kind: AckKind) -> Result<(), BusError> {
        let Some(reply) = &self.reply else { return Ok(()) };
        match self.client.request(reply.clone(), kind.into()).await {
            Ok(_) => Ok(()),
            Err(e) => Err(unavailable(&self.address, e)),
        }
    }
}

#[async_trait]
impl Lease for NatsLease {
    async fn extend(&self) -> Result<(), BusError> {
        self.answer(AckKind::Progress).await
    }

    async fn ack(&self) -> Result<(), BusError> {
        self.answer(AckKind::Ack).await
    }

    async fn release(&self, delay: Duration) -> Result<(), BusError> {
        self.answer(AckKind::Nak(Some(delay))).await
    }
}
