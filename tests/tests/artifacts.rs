//! Files into jobs and out of them, on a real engine.

#[path = "artifacts/faults.rs"]
mod faults;
#[path = "artifacts/import.rs"]
mod import;
#[path = "artifacts/inputs.rs"]
mod inputs;
#[path = "artifacts/large.rs"]
mod large;
#[path = "artifacts/rules.rs"]
mod rules;
