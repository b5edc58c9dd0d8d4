//! Starting beside things that may still be starting too.

use std::error::Error;
use std::time::Duration;

use orcaops_api::ApiError;
use orcaops_common::bus::BusError;
use orcaops_common::config::ConfigError;
use orcaops_common::store::StoreError;
use orcaops_worker::{EngineError, WorkerError};
use tokio::time::Instant;

use crate::failure::chain;

/// How long a service waits for what it needs.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it says that it waits.
const NOTICE: Duration = Duration::from_secs(5);

/// A part of OrcaOps can't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A service was not told where to find what it needs.
    #[error(
        "`orcaops {command}` needs {what}: set --{flag} or {variable}; on one machine `orcaops dev` needs neither"
    )]
    Missing {
        /// The command.
        command: &'static str,
        /// What it needs.
        what: &'static str,
        /// The flag that says where.
        flag: &'static str,
        /// The variable that says where.
        variable: &'static str,
    },
    /// The home folder can't be used.
    #[error(transparent)]
    Home(#[from] ConfigError),
    /// The database can't be used.
    #[error("{}", with_advice(.0, .0.is_transient(), "start it, or correct --database-url or ORCAOPS_DATABASE_URL"))]
    Store(StoreError),
    /// The database in the home folder can't be used.
    #[error("{}", with_advice(.0, .0.is_transient(), "make its folder writable, or choose another with --home"))]
    LocalStore(StoreError),
    /// NATS can't be used.
    #[error(
        "{}", with_advice(.0, .0.is_transient(), "start NATS with JetStream, or correct --nats-url or ORCAOPS_NATS_URL")
    )]
    Bus(BusError),
    /// The files of the in-process bus can't be used.
    #[error("{}", with_advice(.0, .0.is_transient(), "make its folder writable, or choose another with --home"))]
    LocalBus(BusError),
    /// The API can't start.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The worker can't start; the engine's own words say why and what to do.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

fn with_advice(error: &dyn Error, mendable: bool, advice: &str) -> String {
    if mendable { format!("{}; {advice}", chain(error)) } else { chain(error) }
}

/// Whether a dependency that is away now may come.
pub(crate) trait MayCome {
    /// Whether waiting may help.
    fn may_come(&self) -> bool;
}

impl MayCome for StoreError {
    fn may_come(&self) -> bool {
        self.is_transient()
    }
}

impl MayCome for BusError {
    fn may_come(&self) -> bool {
        self.is_transient()
    }
}

impl MayCome for WorkerError {
    fn may_come(&self) -> bool {
        match self {
            Self::Engine(error) => matches!(error, EngineError::Unavailable { .. }),
        }
    }
}

/// Tries to start something until it comes, or patience is over; says now and then what it waits for.
pub(crate) async fn patiently<T, E: Error + MayCome>(start: impl AsyncFn() -> Result<T, E>) -> Result<T, E> {
    within(PATIENCE, start).await
}

async fn within<T, E: Error + MayCome>(
    patience: Duration,
    start: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let began = Instant::now();
    let mut noticed: Option<Instant> = None;
    loop {
        let error = match start().await {
            Ok(started) => return Ok(started),
            Err(error) => error,
        };
        if !error.may_come() || began.elapsed() + PAUSE > patience {
            return Err(error);
        }
        if noticed.is_none_or(|at| at.elapsed() >= NOTICE) {
            noticed = Some(Instant::now());
            let left = patience.saturating_sub(began.elapsed()).as_secs();
            tracing::warn!("{}; waiting for it, {left} s more", chain(&error));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn refused() -> StoreError {
        let cause = std::io::Error::other("connection refused");
        StoreError::Unavailable { address: "postgres://db/orcaops".into(), cause: Box::new(cause) }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_comes_late_is_waited_for_and_what_never_comes_is_not() {
        let calls = Cell::new(0);
        let start = async || {
            calls.set(calls.get() + 1);
            if calls.get() == 2 { Ok(()) } else { Err(refused()) }
        };
        within(Duration::from_secs(20), start).await.unwrap();
        let corrupt = async || Err::<(), _>(StoreError::Corrupt { what: "a row".into() });
        assert!(within(Duration::from_secs(20), corrupt).await.is_err());
        let away = async || Err::<(), _>(refused());
        assert!(within(Duration::ZERO, away).await.is_err());
    }

    #[test]
    fn a_start_that_fails_says_what_is_missing_where_and_what_to_do() {
        let missing = StartError::Missing {
            command: "worker",
            what: "NATS",
            flag: "nats-url",
            variable: "ORCAOPS_NATS_URL",
        };
        insta::assert_snapshot!(missing, @"`orcaops worker` needs NATS: set --nats-url or ORCAOPS_NATS_URL; on one machine `orcaops dev` needs neither");
        insta::assert_snapshot!(StartError::Store(refused()), @"cannot reach the database at postgres://db/orcaops: connection refused; start it, or correct --database-url or ORCAOPS_DATABASE_URL");
        let bus = BusError::Unavailable {
            address: "nats://n:4222".into(),
            cause: Box::new(std::io::Error::other("connection refused")),
        };
        insta::assert_snapshot!(StartError::Bus(bus), @"cannot reach the bus at nats://n:4222: connection refused; start NATS with JetStream, or correct --nats-url or ORCAOPS_NATS_URL");
    }
}
