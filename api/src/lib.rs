//! What stands between users and workers.
//!
//! [`Api`] serves HTTP and runs the background tasks that keep the record true: the *recorder* (events from
//! the bus into the store), the *scheduler* (runs that must be put on the bus), the *mirror* (logs and
//! artifacts into the run layout), the *settling* of containers whose worker never said what became of them,
//! and the *control server* (questions of workers). It never touches a
//! container engine: workers do, and they speak through the bus.
//!
//! Any number of replicas may run at once. Each records events and answers questions; scheduler, mirror and
//! settling run on the one replica that holds their lease in the store.

mod allow;
mod config;
mod containers;
mod control;
mod error;
mod failpoint;
mod generation;
mod intake;
mod leadership;
mod log_stream;
mod mirror;
mod openapi;
mod problem;
mod published;
mod recorder;
mod request;
mod routes;
mod scheduler;
mod server;
mod settling;
mod signals;
mod stopper;
mod submission;
mod tasks;
mod trouble;
mod upload;

pub use config::ApiConfig;
pub use error::ApiError;
pub use openapi::openapi_document;
pub use server::Api;
