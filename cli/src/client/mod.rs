//! The API's client: the one way in which commands reach jobs, in this process or on a server.

mod answer;
mod artifact;
mod build;
mod error;
mod http;
mod log;
mod log_so_far;
mod retry;
mod sse;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use answer::{JobStatusAnswer, JobSubmit, Raw};
pub(crate) use artifact::place;
pub(crate) use error::ClientError;
pub(crate) use http::Client;
pub(crate) use log::{Line, LogEvent, LogReader, Selection};
pub(crate) use log_so_far::LogSoFar;
pub(crate) use retry::Patience;
