//! The seam that holds the truth about runs.
//!
//! Both implementations have the same shape. What an event, a lost dispatch or a row means is pure and lives
//! here, once; what differs, SQL and connections, lives in [`sqlite`] and [`postgres`], under the same file
//! names on both sides.

mod apply;
mod changes;
mod columns;
mod connect;
mod contract;
mod error;
mod failure;
mod held;
mod import;
mod rows;
mod stamp;
mod stopping;
mod stored_form;
mod waiting;
mod wish;

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod postgres;
pub mod sqlite;

pub use connect::connect;
pub use contract::*;
pub use error::StoreError;
pub use import::imported_form;
