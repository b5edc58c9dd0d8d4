//! How often, and for how long, a call is tried again.

use std::time::Duration;

use tokio::time::Instant;

use super::error::ClientError;

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How long a call is tried again that the user waits for.
const SHORT: Duration = Duration::from_secs(4);
/// How long a server may be away while a job is watched. A restart takes less.
const LONG: Duration = Duration::from_secs(120);

/// Bounds a row of failures.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    failing_since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    /// The first pause; it doubles with each.
    pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(200);

    /// For a call that the user waits for.
    pub(crate) fn short() -> Self {
        Self { limit: SHORT, failing_since: None, pause: Self::FIRST_PAUSE }
    }

    /// For watching a job, which goes on whether it is watched or not.
    pub(crate) fn long() -> Self {
        Self { limit: LONG, ..Self::short() }
    }

    /// A call succeeded: the next failure is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.failing_since = None;
        self.pause = Self::FIRST_PAUSE;
    }

    /// Waits before the next try; gives the error back when there is to be none.
    pub(crate) async fn failed(&mut self, error: ClientError) -> Result<(), ClientError> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if !error.is_transient() || since.elapsed() + self.pause > self.limit {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// Tries a call until it succeeds or patience is over.
    pub(crate) async fn retry<T>(
        mut self,
        call: impl AsyncFn() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.failed(error).await?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn away() -> ClientError {
        ClientError::Unreachable { address: "http://h".into(), reason: "refused".into() }
    }

    fn corrupt() -> ClientError {
        ClientError::Corrupt { path: "x".into() }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_call_is_tried_until_it_succeeds() {
        let calls = Cell::new(0);
        let answer = Patience::short()
            .retry(async || {
                calls.set(calls.get() + 1);
                if calls.get() < 3 { Err(away()) } else { Ok(calls.get()) }
            })
            .await;
        assert_eq!(answer.unwrap(), 3);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_will_not_pass_is_not_tried_again() {
        let calls = Cell::new(0);
        let answer = Patience::short()
            .retry(async || {
                calls.set(calls.get() + 1);
                Err::<(), _>(corrupt())
            })
            .await;
        assert!(answer.is_err());
        assert_eq!(calls.get(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn patience_ends() {
        let mut patience = Patience { limit: Duration::ZERO, ..Patience::short() };
        assert!(patience.failed(away()).await.is_err());
    }
}
