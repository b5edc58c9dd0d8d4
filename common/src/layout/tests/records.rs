use std::fs;

use super::*;
use crate::domain::run::{JobStatus, StepResult};

#[tokio::test]
async fn the_runs_of_older_versions_are_read() {
    let records = RunLayout::new(old_runs()).read_records().await;
    let seen: Vec<_> = records
        .iter()
        .map(|(path, record)| {
            let record = record.as_ref().unwrap();
            assert!(path.ends_with(format!("{}/run.json", record.job_id)));
            (record.job_id.as_str(), record.status, record.steps.len(), record.artifacts.len())
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("build-42", JobStatus::Success, 2, 1),
            ("fail-7", JobStatus::Failed, 2, 0),
            ("noimage", JobStatus::Failed, 0, 0),
            ("slow-1", JobStatus::TimedOut, 1, 0),
            ("stop-me", JobStatus::Cancelled, 1, 0),
        ]
    );
}

#[tokio::test]
async fn a_record_is_written_as_older_versions_did_with_new_fields_at_the_end() {
    let (_folder, layout) = layout();
    for id in ["build-42", "fail-7", "noimage", "slow-1", "stop-me"] {
        layout.write_record(&old_record(id)).await.unwrap();
        let old: serde_json::Value =
            serde_json::from_slice(&fs::read(old_runs().join(id).join("run.json")).unwrap()).unwrap();
        let text = fs::read_to_string(layout.folder(&job(id)).join("run.json")).unwrap();
        let new: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (field, value) in old.as_object().unwrap() {
            if field == "steps" {
                for (old, new) in value.as_array().unwrap().iter().zip(new["steps"].as_array().unwrap()) {
                    assert!(old.as_object().unwrap().iter().all(|(k, v)| new[k] == *v), "{old} {new}");
                }
            } else {
                assert_eq!(new[field], *value, "{id} {field}");
            }
        }
        assert!(text.starts_with(&format!("{{\n  \"job_id\": \"{id}\",\n  \"status\": ")), "{text}");
        assert_eq!(layout.read_record(&job(id)).await.unwrap(), Some(old_record(id)));
    }
    assert_eq!(files(&layout, &job("fail-7")), ["run.json"]);
}

#[tokio::test]
async fn a_record_replaces_the_one_before() {
    let (_folder, layout) = layout();
    let mut record = old_record("build-42");
    assert_eq!(layout.read_record(&record.job_id).await.unwrap(), None);
    for status in [JobStatus::Running, JobStatus::Success] {
        record.status = status;
        layout.write_record(&record).await.unwrap();
        assert_eq!(layout.read_record(&record.job_id).await.unwrap(), Some(record.clone()));
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_does_not_hide_the_others() {
    let (_folder, layout) = layout();
    layout.write_record(&old_record("build-42")).await.unwrap();
    for (name, content) in
        [("broken", "{"), ("elsewhere", include_str!("../../../testdata/runs/fail-7/run.json"))]
    {
        fs::create_dir(layout.root().join(name)).unwrap();
        fs::write(layout.root().join(name).join("run.json"), content).unwrap();
    }
    fs::create_dir(layout.root().join("nothing-yet")).unwrap();
    fs::write(layout.root().join("a-file"), "").unwrap();
    let records = layout.read_records().await;
    let seen: Vec<String> = records
        .iter()
        .map(|(path, record)| match record {
            Ok(record) => record.job_id.to_string(),
            Err(error) => {
                assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
                error.to_string()
            }
        })
        .collect();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(seen[0].contains("cannot be understood"), "{seen:?}");
    assert_eq!(seen[1], "build-42");
    assert!(seen[2].contains("record of fail-7"), "{seen:?}");
}

#[tokio::test]
async fn a_root_that_does_not_exist_holds_nothing_and_one_that_is_a_file_is_an_error() {
    let (folder, layout) = layout();
    assert!(layout.read_records().await.is_empty());
    layout.delete(&job("a")).await.unwrap();
    fs::write(folder.path().join("artifacts"), "").unwrap();
    let records = layout.read_records().await;
    assert!(
        matches!(&records[..], [(path, Err(LayoutError::Io { .. }))] if path == layout.root()),
        "{records:?}"
    );
}

#[tokio::test]
async fn steps_are_appended_once_however_often_they_are_given() {
    let (_folder, layout) = layout();
    let (id, steps) = (job("build-42"), old_record("build-42").steps);
    let path = layout.folder(&id).join("steps.jsonl");
    let read = || -> Vec<StepResult> {
        fs::read_to_string(&path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    layout.write_steps(&id, &[]).await.unwrap();
    assert_eq!(read(), []);
    for given in [&steps[..1], &steps[..1], &steps, &steps] {
        layout.write_steps(&id, given).await.unwrap();
        assert_eq!(read(), given);
    }
    assert_eq!(files(&layout, &id), ["steps.jsonl"]);
}

#[tokio::test]
async fn steps_of_another_attempt_replace_the_first_ones() {
    let (_folder, layout) = layout();
    let (id, steps) = (job("build-42"), old_record("build-42").steps);
    layout.write_steps(&id, &old_record("fail-7").steps).await.unwrap();
    layout.write_steps(&id, &steps).await.unwrap();
    let whole = fs::read(layout.folder(&id).join("steps.jsonl")).unwrap();
    assert_eq!(whole.iter().filter(|b| **b == b'\n').count(), 2);
    // A crash may leave a torn line; the same steps mend it.
    fs::write(layout.folder(&id).join("steps.jsonl"), &whole[..whole.len() - 9]).unwrap();
    layout.write_steps(&id, &steps).await.unwrap();
    assert_eq!(fs::read(layout.folder(&id).join("steps.jsonl")).unwrap(), whole);
    // The attempt before had more steps.
    layout.write_steps(&id, &steps[..1]).await.unwrap();
    assert!(whole.starts_with(&fs::read(layout.folder(&id).join("steps.jsonl")).unwrap()));
}

#[tokio::test]
async fn the_steps_file_of_an_older_version_is_understood() {
    for id in ["build-42", "fail-7", "slow-1", "stop-me"] {
        let text = fs::read_to_string(old_runs().join(id).join("steps.jsonl")).unwrap();
        let steps: Vec<StepResult> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(steps, old_record(id).steps);
    }
}

#[tokio::test]
async fn deleting_takes_all_of_one_job_and_nothing_of_another() {
    let (_folder, layout) = layout();
    for id in ["build-42", "fail-7"] {
        layout.write_record(&old_record(id)).await.unwrap();
    }
    layout.delete(&job("build-42")).await.unwrap();
    layout.delete(&job("build-42")).await.unwrap();
    assert!(!layout.folder(&job("build-42")).exists());
    assert_eq!(layout.read_records().await.len(), 1);
}
