//! The store in Postgres, for a fleet: any number of API replicas share one database.

mod cancel;
mod cleanup;
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

pub use connection::PostgresStore;
