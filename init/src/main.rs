//! PID 1 of a job's container.
fn main() {}
