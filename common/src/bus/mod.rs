//! The seam that carries jobs, events, logs, objects and questions between API and workers.

mod contract;
mod error;
pub mod in_process;
mod log_codec;
pub mod nats;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "conformance")]
pub mod faulty;

pub use contract::*;
pub use error::BusError;
