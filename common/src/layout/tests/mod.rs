//! The layout on a real disk.

mod artifacts;
mod hostile;
mod logs;
mod records;

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::domain::id::JobId;
use crate::domain::run::RunRecord;

fn layout() -> (TempDir, RunLayout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = RunLayout::new(folder.path().join("artifacts"));
    (folder, layout)
}

fn job(id: &str) -> JobId {
    id.parse().unwrap()
}

/// The folder of runs that the tool's older versions wrote.
fn old_runs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/runs")
}

fn old_record(id: &str) -> RunRecord {
    let json = std::fs::read(old_runs().join(id).join("run.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// All paths below a job's folder, folders with a `/`.
fn files(layout: &RunLayout, job: &JobId) -> Vec<String> {
    fn walk(folder: &std::path::Path, name: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
                found.push(format!("{name}/"));
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(&layout.folder(job), "", &mut found);
    found.sort();
    found
}
