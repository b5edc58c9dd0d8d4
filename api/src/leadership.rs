//! One replica at a time: a lease row in the store, judged by the store's clock.

use std::sync::Arc;
use std::time::Duration;

use orcaops_common::store::{Store, StoreError};
use tokio::time::Instant;

/// How long the other replicas wait for a leader that fell silent.
const LEASE: Duration = Duration::from_secs(10);
/// How often the lease is renewed, or asked for.
const RENEW: Duration = Duration::from_secs(3);

/// The wish to be the only one who does something.
pub(crate) struct Leadership {
    store: Arc<dyn Store>,
    name: &'static str,
    holder: String,
    asked: Option<Instant>,
    leading: bool,
}

impl Leadership {
    pub(crate) fn new(store: Arc<dyn Store>, name: &'static str, holder: &str) -> Self {
        Self { store, name, holder: holder.to_owned(), asked: None, leading: false }
    }

    /// Whether this replica leads now. Asks the store every few seconds only; what is not known counts as no.
    pub(crate) async fn leading(&mut self) -> Result<bool, StoreError> {
        if self.asked.is_none_or(|asked| asked.elapsed() >= RENEW) {
            let asked = Instant::now();
            self.leading = false;
            let leading = self.store.lease(self.name, &self.holder, LEASE).await?;
            // An answer that took long may have been overtaken by the lease's end.
            self.leading = leading && asked.elapsed() < LEASE - RENEW;
            self.asked = Some(asked);
        }
        Ok(self.leading)
    }

    /// Lets another replica lead at once.
    pub(crate) async fn give_up(&mut self) {
        if std::mem::take(&mut self.leading)
            && let Err(error) = self.store.release_lease(self.name, &self.holder).await
        {
            tracing::debug!(lease = self.name, error = crate::error::chain(&error), "lease not released");
        }
    }
}
