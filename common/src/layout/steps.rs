//! `steps.jsonl`: a step's result a line.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::error::LayoutError;
use super::file::{read, write};
use super::run_layout::{RunLayout, blocking};
use crate::domain::id::JobId;
use crate::domain::path::STEPS_FILE;
use crate::domain::run::StepResult;

/// The longest file that is compared with what is to be written, in bytes; a longer one is replaced.
const MAX_STEPS: u64 = 256 * 1024 * 1024;

impl RunLayout {
    /// Makes the file hold exactly these steps: appends those that are new to it, or writes it anew when it
    /// holds others. Twice is as good as once.
    ///
    /// # Errors
    /// See [`LayoutError`].
    pub async fn write_steps(&self, job: &JobId, steps: &[StepResult]) -> Result<(), LayoutError> {
        let (layout, job) = (self.clone(), job.clone());
        let path = self.folder(&job).join(STEPS_FILE);
        let mut lines = Vec::new();
        for step in steps {
            serde_json::to_writer(&mut lines, step)
                .map_err(|e| LayoutError::Corrupt { path: path.clone(), what: e.to_string() })?;
            lines.push(b'\n');
        }
        blocking(move || {
            let folder = layout.make(&job)?;
            let present = match read(&path, MAX_STEPS) {
                Ok(present) => present,
                Err(LayoutError::Corrupt { .. }) => Some(Vec::new()),
                Err(error) => return Err(error),
            };
            match present {
                // A line that a crash tore is completed by the rest of it.
                Some(present) if !present.is_empty() && lines.starts_with(&present) => {
                    append(&path, &lines[present.len()..])
                }
                Some(_) | None => write(&folder, &path, &lines),
            }
        })
        .await
    }
}

fn append(path: &Path, lines: &[u8]) -> Result<(), LayoutError> {
    if lines.is_empty() {
        return Ok(());
    }
    let append = || {
        let mut file = OpenOptions::new().append(true).open(path)?;
        file.write_all(lines)?;
        file.sync_all()
    };
    append().map_err(|e| LayoutError::io("write", path, e))
}
