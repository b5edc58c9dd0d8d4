//! Named points at which a test build stops the process as a crash would.

/// The variable that names the point at which the process stops.
#[cfg(feature = "failpoints")]
const VARIABLE: &str = "ORCAOPS_FAILPOINT";

/// Stops the process here, without any cleanup, when the environment names this point.
#[cfg(feature = "failpoints")]
pub(crate) fn reached(point: &str) {
    if std::env::var(VARIABLE).is_ok_and(|wanted| wanted == point) {
        std::process::abort();
    }
}

/// Does nothing: this is not a test build.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn reached(_point: &str) {}
