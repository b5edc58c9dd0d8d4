//! A new, empty database for a case.

use std::sync::Arc;

use tempfile::TempDir;

use crate::store::{Store, connect};

/// A database that no case has used.
#[derive(Debug)]
pub struct Database {
    url: String,
    _folder: Option<TempDir>,
}

impl Database {
    /// The database at that address.
    #[must_use]
    pub fn at(url: String) -> Self {
        Self { url, _folder: None }
    }

    /// A file that does not exist yet, in a folder that goes when this is dropped.
    ///
    /// # Panics
    /// No temporary folder can be made.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/orcaops.db", folder.path().display());
        Self { url, _folder: Some(folder) }
    }

    /// Another handle on it, with connections of its own.
    ///
    /// # Panics
    /// It can't be opened.
    pub async fn open(&self) -> Arc<dyn Store> {
        connect(&self.url).await.unwrap()
    }
}
