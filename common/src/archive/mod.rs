//! Uploaded tars: read safely, whoever made them.
//!
//! What comes out of [`for_each`] may be unpacked below any folder without leaving it: no absolute paths, no
//! `..`, no devices, no links that lead out and none that a later entry goes through. Memory is bounded
//! whatever the archive says. Nothing here writes files.

mod error;
mod header;
mod place;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use error::ArchiveError;
pub use walk::{Entry, TarSummary, check_tar, for_each};
