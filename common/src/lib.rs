//! The domain of OrcaOps and its two seams.
//!
//! `domain` is pure: what a job is, what may happen to it, what is said about it. [`bus`] and [`store`] are
//! the two traits that separate a laptop from a fleet, each with its implementations and the conformance
//! suite that all of them pass. Nothing here speaks HTTP or Docker.

pub mod archive;
pub mod bus;
pub mod config;
pub mod domain;
pub mod import;
pub mod layout;
pub mod store;
pub mod telemetry;
pub mod yaml;
