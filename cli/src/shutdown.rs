//! How a service ends.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit;
use crate::failure::Failure;

/// Hears the signals that ask a process to end.
pub(crate) struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

impl Shutdown {
    /// From now on these signals do not end the process by themselves.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Failure::Runtime)?,
            terminate: signal(SignalKind::terminate()).map_err(Failure::Runtime)?,
        })
    }

    /// Waits for the next such signal; the exit code of a process that ends by it.
    pub(crate) async fn requested(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        };
        exit::SIGNAL_BASE.saturating_add(u8::try_from(kind.as_raw_value()).unwrap_or_default())
    }

    /// Starts a service and runs it until it is asked to end, then stops it; a second signal ends it at once.
    pub(crate) async fn run<S>(
        mut self,
        start: impl Future<Output = Result<S, Failure>>,
        stop: impl AsyncFnOnce(S),
    ) -> Result<u8, Failure> {
        let service = tokio::select! {
            started = start => started?,
            code = self.requested() => return Ok(code),
        };
        self.requested().await;
        tracing::info!("stopping; a second signal ends the process at once");
        tokio::select! {
            () = stop(service) => Ok(exit::SUCCESS),
            code = self.requested() => {
                tracing::warn!("ended at once");
                Ok(code)
            }
        }
    }
}
