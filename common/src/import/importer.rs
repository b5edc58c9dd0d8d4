//! The order of an import.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Files, LeftOut};
use crate::domain::run::RunRecord;
use crate::layout::{LayoutError, RunLayout};
use crate::store::{Import, Store, StoreError, imported_form};

/// What became of one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The folder's name, which is the job's id.
    pub job: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its record is in the store, and so are its files but for those left out.
    Imported {
        /// How many artifacts are in place.
        artifacts: usize,
        /// Files that are not, and why.
        left_out: Vec<LeftOut>,
    },
    /// It was there, equal.
    Known,
    /// It was not taken over, and why.
    Failed(String),
}

impl Item {
    /// Whether all of it is here now.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &self.outcome {
            Outcome::Imported { left_out, .. } => left_out.is_empty(),
            Outcome::Known => true,
            Outcome::Failed(_) => false,
        }
    }
}

/// Nothing more can be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What was named is no folder of runs.
    #[error("{} holds no runs: {reason}", path.display())]
    NotALayout {
        /// What was named.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It can't be read, or the own one can't be written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Imports runs into a store and a run layout.
pub struct Importer {
    store: Arc<dyn Store>,
    files: Files,
    from: RunLayout,
}

impl Importer {
    /// Imports from the folder `from`, which holds a folder for each run, into `store` and `layout`.
    ///
    /// # Errors
    /// `from` is no folder, or is a run's own.
    pub fn new(store: Arc<dyn Store>, layout: RunLayout, from: &Path) -> Result<Self, ImportError> {
        let wrong =
            |reason: &str| ImportError::NotALayout { path: from.to_owned(), reason: reason.to_owned() };
        if !from.is_dir() {
            return Err(wrong("it is not a folder"));
        }
        if from.join(crate::domain::path::RECORD_FILE).is_file() {
            return Err(wrong("it is the folder of one run; name the folder that holds it"));
        }
        let from = RunLayout::new(from);
        Ok(Self { store, files: Files::new(from.clone(), layout), from })
    }

    /// Imports all runs, in the order of their folders' names, and tells of each. Folders without a record are
    /// passed over.
    ///
    /// # Errors
    /// The store fails, the folder can't be read, or the disk is full. Runs told of until then stay as told.
    pub async fn run(&self, mut tell: impl FnMut(Item)) -> Result<(), ImportError> {
        for folder in self.from.record_folders().await? {
            let job = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let outcome = match self.from.read_record_in(&folder).await {
                Ok(None) => continue,
                Ok(Some(record)) => self.record(&record).await?,
                Err(error) => Outcome::Failed(in_words(&error)),
            };
            tell(Item { job, outcome });
        }
        Ok(())
    }

    async fn record(&self, record: &RunRecord) -> Result<Outcome, ImportError> {
        if !record.status.is_terminal() {
            let status = record.status.as_str();
            return Ok(Outcome::Failed(format!("it is {status}; only runs that have ended can be imported")));
        }
        let form = imported_form(record);
        match self.store.run(&form.job_id).await? {
            None => {}
            Some(known) if known == form => return Ok(Outcome::Known),
            Some(_) => return Ok(taken()),
        }
        let (artifacts, left_out) = self.files.copy(&form).await?;
        Ok(match self.store.import(record).await? {
            Import::New => Outcome::Imported { artifacts, left_out },
            Import::Known => Outcome::Known,
            Import::Taken | Import::NotTerminal => taken(),
        })
    }
}

fn taken() -> Outcome {
    Outcome::Failed("another run has this id, and is left as it is".to_owned())
}

/// An error with its causes.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
