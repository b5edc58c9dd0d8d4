//! The `orcaops` binary.
fn main() {}
