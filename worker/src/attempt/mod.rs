//! One execution of a job: from its delivery to its container's end.

mod artifacts;
mod build;
mod capture;
mod container;
mod inputs;
mod lease;
mod log;
mod masks;
mod outcome;
mod prepare;
mod reporter;
mod run;
mod steps;

pub(crate) use reporter::publish;
pub(crate) use run::{Context, run};
