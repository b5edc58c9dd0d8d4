//! What commands print.

pub(crate) mod log;
pub(crate) mod measure;
pub(crate) mod style;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod sample;

pub(crate) use words::{harmless, print, print_json};
