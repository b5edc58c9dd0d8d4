//! Artifacts: which files a job's patterns mean, what they are called, and how they are sent.

mod collection;
mod names;
mod pattern;
mod walk;

pub(crate) use collection::Collection;
