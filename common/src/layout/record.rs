//! `run.json`: the record.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::LayoutError;
use super::file::{check_link, read, write};
use super::run_layout::{RunLayout, blocking};
use crate::domain::id::JobId;
use crate::domain::path::RECORD_FILE;
use crate::domain::run::RunRecord;

/// The longest record that is read, in bytes. Older versions bounded nothing.
const MAX_RECORD: u64 = 256 * 1024 * 1024;

/// Records with their paths, or why they can't be read.
type Records = Vec<(PathBuf, Result<RunRecord, LayoutError>)>;

impl RunLayout {
    /// Writes a run's record, as a whole.
    ///
    /// # Errors
    /// See [`LayoutError`]; the record that was there is there still.
    pub async fn write_record(&self, record: &RunRecord) -> Result<(), LayoutError> {
        let (layout, job) = (self.clone(), record.job_id.clone());
        let json = serde_json::to_vec_pretty(record).map_err(|e| LayoutError::Corrupt {
            path: self.folder(&job).join(RECORD_FILE),
            what: e.to_string(),
        })?;
        blocking(move || {
            let folder = layout.make(&job)?;
            write(&folder, &folder.join(RECORD_FILE), &json)
        })
        .await
    }

    /// A run's record, if the layout has it.
    ///
    /// # Errors
    /// It is there and can't be read.
    pub async fn read_record(&self, job: &JobId) -> Result<Option<RunRecord>, LayoutError> {
        let folder = self.folder(job);
        blocking(move || read_record(&folder)).await
    }

    /// The folders that may hold a record, by their names. A root that does not exist has none.
    ///
    /// # Errors
    /// The root can't be read.
    pub async fn record_folders(&self) -> Result<Vec<PathBuf>, LayoutError> {
        let root = self.root().to_owned();
        blocking(move || folders(&root)).await
    }

    /// The record in one of these folders, if it has one.
    ///
    /// # Errors
    /// It is there and can't be read.
    pub async fn read_record_in(&self, folder: &Path) -> Result<Option<RunRecord>, LayoutError> {
        let folder = folder.to_owned();
        blocking(move || read_record(&folder)).await
    }

    /// All records, by their folders' names, with the path of each. Folders without a record are passed
    /// over; a root that does not exist has none, and one that can't be read is an error of its own.
    pub async fn read_records(&self) -> Vec<(PathBuf, Result<RunRecord, LayoutError>)> {
        let root = self.root().to_owned();
        let all = blocking({
            let root = root.clone();
            move || read_records(&root)
        });
        all.await.unwrap_or_else(|error| vec![(root, Err(error))])
    }
}

fn read_records(root: &Path) -> Result<Records, LayoutError> {
    let record = |folder: PathBuf| match read_record(&folder) {
        Ok(record) => record.map(|r| (folder.join(RECORD_FILE), Ok(r))),
        Err(error) => Some((folder.join(RECORD_FILE), Err(error))),
    };
    Ok(folders(root)?.into_iter().filter_map(record).collect())
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, LayoutError> {
    let failed = |e| LayoutError::io("read", root, e);
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if !entry.file_type().map_err(failed)?.is_file() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn read_record(folder: &Path) -> Result<Option<RunRecord>, LayoutError> {
    check_link(folder)?;
    let path = folder.join(RECORD_FILE);
    let Some(json) = read(&path, MAX_RECORD)? else { return Ok(None) };
    let corrupt = |what| LayoutError::Corrupt { path: path.clone(), what };
    let record: RunRecord = serde_json::from_slice(&json).map_err(|e| corrupt(e.to_string()))?;
    if folder.file_name().is_none_or(|name| name != record.job_id.as_str()) {
        return Err(corrupt(format!("it is the record of {}, in another job's folder", record.job_id)));
    }
    Ok(Some(record))
}
