//! Ratios of OrcaOps against what a user would do instead, both sides taken alternately in one run.

pub mod ratio;
