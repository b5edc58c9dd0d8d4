//! Takes over what another installation left behind: its run layout, or that of the tool's older versions.
//!
//! A run's files are copied first, each compared with the size and hash that its record announces, and its record is
//! taken into the store last. So an import that broke off is simply done again.

mod files;
mod importer;
#[cfg(test)]
mod tests;

pub use files::LeftOut;
pub use importer::{ImportError, Importer, Item, Outcome};
