//! Endings: of process trees, by timeout and by cancellation, in every phase of a job's life.

#[path = "endings/phases.rs"]
mod phases;
#[path = "endings/trees.rs"]
mod trees;
#[path = "endings/unheard.rs"]
mod unheard;
