//! What a job is, what may happen to it, and what is said about it. No IO, no clock, no drivers.

pub mod build;
pub mod container;
pub mod control;
pub mod event;
mod fingerprint;
pub mod id;
pub mod job;
pub mod lines;
pub mod log;
pub mod mask;
pub mod message;
pub mod parse;
pub mod path;
pub mod placement;
pub mod retry;
pub mod run;
pub mod sandbox_file;
pub mod state;
