//! The seam that carries jobs, events, logs, objects and questions between API and workers.

mod contract;
mod error;

pub use contract::*;
pub use error::BusError;
