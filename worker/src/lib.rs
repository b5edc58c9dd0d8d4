//! Takes jobs from the bus and runs them in containers on one Docker host.
//!
//! A worker knows the bus and its engine, and nothing else: no database, no HTTP. It may be ended at any
//! moment; what it was doing is then done by another.

mod attempt;
mod config;
mod control;
mod dispatcher;
mod engine;
mod heartbeat;
mod init_binary;
mod listing;
mod policy;
mod registry;
mod sweeper;
mod worker;

pub use config::WorkerConfig;
pub use engine::{EngineError, Failure};
pub use policy::Policy;
pub use worker::{Worker, WorkerError};

/// The program that is PID 1 in every container, as this build embeds it.
#[must_use]
pub fn init_binary() -> &'static [u8] {
    init_binary::INIT_BINARY
}
