//! The API over HTTP, with a real store and a real bus; the tests play the worker.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "http/artifacts.rs"]
mod artifacts;
#[path = "http/background.rs"]
mod background;
#[path = "http/containers.rs"]
mod containers;
#[path = "http/health.rs"]
mod health;
#[path = "http/images.rs"]
mod images;
#[path = "http/life.rs"]
mod life;
#[path = "http/lists.rs"]
mod lists;
#[path = "http/log_so_far.rs"]
mod log_so_far;
#[path = "http/logs.rs"]
mod logs;
#[path = "http/problems.rs"]
mod problems;
#[path = "http/replicas.rs"]
mod replicas;
#[path = "http/submission.rs"]
mod submission;
#[path = "http/support/mod.rs"]
mod support;
#[path = "http/uploads.rs"]
mod uploads;
