//! The HTTP endpoints, a file for each topic. They translate; the work is done elsewhere.

mod artifacts;
mod body;
mod containers;
mod download;
mod health;
mod images;
mod jobs;
mod log_answer;
mod logs;
mod page;
mod runs;
mod uploads;

pub(crate) use artifacts::ArtifactsApi;
pub(crate) use containers::ContainersApi;
pub(crate) use health::HealthApi;
pub(crate) use images::ImagesApi;
pub(crate) use jobs::JobsApi;
pub(crate) use logs::{DoneData, LogsApi};
pub(crate) use runs::RunsApi;
pub(crate) use uploads::UploadsApi;
