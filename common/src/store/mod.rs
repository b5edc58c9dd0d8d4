//! The seam that holds the truth about runs.

mod contract;
mod error;

pub use contract::*;
pub use error::StoreError;
