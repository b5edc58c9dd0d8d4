//! Imports of real files into a real store.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use tempfile::TempDir;

use super::*;
use crate::domain::id::JobId;
use crate::domain::run::{ArtifactMetadata, JobStatus, RunRecord};
use crate::layout::RunLayout;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, imported_form};

/// An installation to import into, and a folder to import from.
struct Place {
    store: Arc<dyn Store>,
    layout: RunLayout,
    from: PathBuf,
    _folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("orcaops.db")).await.unwrap();
        let from = folder.path().join("from");
        copy(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/runs"), &from);
        let layout = RunLayout::new(folder.path().join("artifacts"));
        Self { store: Arc::new(store), layout, from, _folder: folder }
    }

    async fn import(&self) -> Vec<(String, Outcome)> {
        let importer = Importer::new(self.store.clone(), self.layout.clone(), &self.from).unwrap();
        let mut items = Vec::new();
        importer.run(|item| items.push((item.job, item.outcome))).await.unwrap();
        items
    }

    /// What became of one run.
    async fn import_one(&self, job: &str) -> Outcome {
        self.import().await.into_iter().find(|(other, _)| other == job).unwrap().1
    }

    fn record(&self, job: &str) -> RunRecord {
        serde_json::from_slice(&fs::read(self.from.join(job).join("run.json")).unwrap()).unwrap()
    }

    fn rewrite(&self, job: &str, change: impl FnOnce(&mut RunRecord)) {
        let mut record = self.record(job);
        change(&mut record);
        fs::write(self.from.join(job).join("run.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn job(id: &str) -> JobId {
    id.parse().unwrap()
}

fn imported(artifacts: usize) -> Outcome {
    Outcome::Imported { artifacts, left_out: Vec::new() }
}

#[tokio::test]
async fn all_runs_of_the_older_tool_are_imported_and_passed_over_the_next_time() {
    let place = Place::new().await;
    let outcomes = place.import().await;
    let names: Vec<_> = outcomes.iter().map(|(job, _)| job.as_str()).collect();
    assert_eq!(names, ["build-42", "fail-7", "noimage", "slow-1", "stop-me"]);
    for (name, outcome) in &outcomes {
        assert_eq!(*outcome, imported(usize::from(name == "build-42")), "{name}");
        let record = place.store.run(&job(name)).await.unwrap().unwrap();
        assert_eq!(record, imported_form(&place.record(name)));
        assert_eq!(place.layout.read_record(&job(name)).await.unwrap().unwrap(), record);
    }
    assert_eq!(fs::read(place.layout.artifact_path(&job("build-42"), "app").unwrap()).unwrap(), b"binary\n");
    let log = place.layout.read_log(&job("build-42")).await.unwrap().unwrap();
    let log: Vec<_> = log.try_collect().await.unwrap();
    let log: Vec<_> = log.iter().map(|l| (l.step, l.line.as_str())).collect();
    assert_eq!(log, [(Some(0), "compiling"), (Some(1), "7 /out/app"), (Some(1), "warn")]);

    assert!(place.import().await.iter().all(|(_, outcome)| *outcome == Outcome::Known));
}

#[tokio::test]
async fn an_id_that_another_run_has_is_reported_and_its_files_are_left_alone() {
    let place = Place::new().await;
    place.import().await;
    place.rewrite("build-42", |record| record.error = Some("another".to_owned()));
    fs::write(place.from.join("build-42/app"), "other").unwrap();
    let outcome = place.import_one("build-42").await;
    assert_eq!(outcome, Outcome::Failed("another run has this id, and is left as it is".to_owned()));
    assert_eq!(fs::read(place.layout.artifact_path(&job("build-42"), "app").unwrap()).unwrap(), b"binary\n");
}

#[tokio::test]
async fn files_that_are_not_what_their_record_says_are_left_out_and_named() {
    let place = Place::new().await;
    let folder = place.from.join("build-42");
    let app = place.record("build-42").artifacts[0].clone();
    let artifact = |path: &str| ArtifactMetadata { path: path.to_owned(), ..app.clone() };
    place.rewrite("build-42", |record| {
        record.artifacts = [
            "app",
            "changed",
            "folder",
            "gone",
            "link",
            "linked/app",
            "longer",
            "../fail-7/run.json",
            "/etc/passwd",
        ]
        .map(artifact)
        .to_vec();
    });
    fs::write(folder.join("changed"), "Binary\n").unwrap();
    fs::write(folder.join("longer"), "binary\n\n").unwrap();
    fs::create_dir(folder.join("folder")).unwrap();
    let outside = place.from.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("app"), "binary\n").unwrap();
    symlink(outside.join("app"), folder.join("link")).unwrap();
    symlink(&outside, folder.join("linked")).unwrap();

    let Outcome::Imported { artifacts: 1, left_out } = place.import_one("build-42").await else { panic!() };
    let told: Vec<_> = left_out.iter().map(|l| format!("{}: {}", l.path, l.reason)).collect();
    for (path, reason) in [
        ("../fail-7/run.json", "its path is refused: it contains `..`"),
        ("/etc/passwd", "its path is refused: it is absolute"),
        ("changed", "its SHA-256 is "),
        ("folder", "is not a file"),
        ("gone", "it is missing"),
        ("link", "is a symbolic link"),
        ("linked/app", "is a symbolic link"),
        ("longer", "it has more than 7 bytes"),
    ] {
        let line = told.iter().find(|line| line.starts_with(&format!("{path}: "))).unwrap();
        assert!(line.contains(reason), "{line}");
    }
    assert_eq!(told.len(), 8, "{told:#?}");
    let copied = place.layout.folder(&job("build-42"));
    for name in ["changed", "folder", "gone", "link", "linked", "longer"] {
        assert!(!copied.join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_run_that_has_ended_is_refused_with_its_reason() {
    let place = Place::new().await;
    place.rewrite("fail-7", |record| (record.status, record.finished_at) = (JobStatus::Running, None));
    fs::write(place.from.join("noimage/run.json"), "{").unwrap();
    fs::rename(place.from.join("slow-1"), place.from.join("renamed")).unwrap();
    symlink("build-42", place.from.join("linked")).unwrap();
    fs::create_dir(place.from.join("empty")).unwrap();
    let outcomes = place.import().await;
    let failed = |name: &str| match &outcomes.iter().find(|(job, _)| job == name).unwrap().1 {
        Outcome::Failed(reason) => reason.clone(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(failed("fail-7"), "it is running; only runs that have ended can be imported");
    assert!(failed("noimage").contains("cannot be understood"));
    assert!(failed("renamed").contains("it is the record of slow-1, in another job's folder"));
    assert!(failed("linked").contains("is a symbolic link"));
    assert!(outcomes.iter().all(|(job, _)| job != "empty"));
    assert_eq!(place.store.count(None).await.unwrap(), 2);
}

#[tokio::test]
async fn a_layout_can_be_imported_where_it_lies() {
    let mut place = Place::new().await;
    place.layout = RunLayout::new(&place.from);
    let before = fs::read(place.from.join("build-42/run.json")).unwrap();
    fs::write(place.from.join("slow-1/x"), "changed").unwrap();
    let app = place.record("build-42").artifacts[0].clone();
    place.rewrite("slow-1", |record| {
        record.artifacts = vec![ArtifactMetadata { path: "x".to_owned(), ..app }]
    });
    let outcomes = place.import().await;
    assert_eq!(outcomes[0].1, imported(1));
    assert!(
        matches!(&outcomes[3].1, Outcome::Imported { artifacts: 0, left_out } if left_out[0].path == "x")
    );
    assert_eq!(fs::read(place.from.join("build-42/run.json")).unwrap(), before, "nothing is written");
    assert_eq!(place.store.count(None).await.unwrap(), 5);
}

#[tokio::test]
async fn a_newer_layout_is_imported_with_its_log_and_permissions() {
    let place = Place::new().await;
    place.import().await;
    let other = Place::new().await;
    // What an installation of this version holds.
    let id = job("build-42");
    let mut record = place.layout.read_record(&id).await.unwrap().unwrap();
    record.artifacts[0].mode = Some("0755".to_owned());
    place.layout.write_record(&record).await.unwrap();
    let from = Place { from: place.layout.root().to_owned(), ..other };
    assert_eq!(from.import_one("build-42").await, imported(1));
    let app = from.layout.artifact_path(&id, "app").unwrap();
    assert_eq!(fs::metadata(app).unwrap().permissions().mode() & 0o777, 0o755);
    let log = "build-42/logs/log.jsonl";
    let read = |layout: &RunLayout| fs::read_to_string(layout.root().join(log)).unwrap();
    assert_eq!(read(&from.layout), read(&place.layout));
    assert_eq!(from.store.run(&id).await.unwrap().unwrap(), record);
}

#[tokio::test]
async fn a_folder_that_holds_no_runs_is_refused() {
    let place = Place::new().await;
    let error = |from: PathBuf| {
        Importer::new(place.store.clone(), place.layout.clone(), &from).err().unwrap().to_string()
    };
    assert!(error(place.from.join("none")).ends_with("holds no runs: it is not a folder"));
    assert!(
        error(place.from.join("build-42")).contains("the folder of one run; name the folder that holds it")
    );
}
