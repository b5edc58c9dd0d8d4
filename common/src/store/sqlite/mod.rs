//! The store in SQLite, for one machine: one file, one writer at a time, readers beside it.

mod cancel;
mod cleanup;
mod clock;
mod connection;
mod delete;
mod dispatch;
mod held;
mod import;
mod lease;
mod mirror;
mod query;
mod record;
mod save;
mod store;
mod submit;
mod worker;

pub use connection::SqliteStore;
