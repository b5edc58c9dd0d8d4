//! Init as PID 1 of real containers.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "init/artifacts.rs"]
mod artifacts;
#[path = "init/ends.rs"]
mod ends;
#[path = "init/inputs.rs"]
mod inputs;
#[path = "init/output.rs"]
mod output;
#[path = "init/steps.rs"]
mod steps;

use orcaops_init::message::StepStart;
use orcaops_tests::container::InitContainer;

/// Longer than any step of these tests that isn't meant to run out of time.
const LONG_MS: u64 = 120_000;
const GRACE_MS: u64 = 300;

/// A step without a shell.
fn argv(index: u32, argv: &[&str]) -> StepStart {
    StepStart {
        index,
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        cwd: "/".to_owned(),
        env: Vec::new(),
        user: None,
        timeout_ms: LONG_MS,
        grace_ms: GRACE_MS,
    }
}

/// A step with a shell.
fn sh(index: u32, command: &str) -> StepStart {
    argv(index, &["/bin/sh", "-c", command])
}

async fn container() -> InitContainer {
    InitContainer::start().await.unwrap()
}
