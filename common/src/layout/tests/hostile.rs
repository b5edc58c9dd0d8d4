//! Whatever is named, and whatever lies there, nothing outside of the job's folder is touched.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::artifacts::metadata;
use super::*;

#[tokio::test]
async fn paths_that_leave_the_folder_or_take_the_layouts_names_are_refused() {
    let (folder, layout) = layout();
    let id = job("a");
    for path in ["../b/run.json", "/etc/x", "a/../../x", "", ".", "run.json", "steps.jsonl", "logs/log.jsonl"]
    {
        let error = layout.put_artifact(&id, &metadata(path, b"x"), &b"x"[..]).await.unwrap_err();
        assert!(matches!(&error, LayoutError::Refused { path: p, .. } if p == path), "{error}");
        assert!(layout.artifact_path(&id, path).is_err());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn links_are_neither_followed_nor_replaced() {
    let (folder, layout) = layout();
    let id = job("build-42");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "untouched").unwrap();
    fs::create_dir_all(layout.folder(&id)).unwrap();
    let inside = |name: &str| layout.folder(&id).join(name);
    symlink(&outside, inside("dir")).unwrap();
    symlink(&outside, inside("logs")).unwrap();
    for name in ["link", "run.json", "steps.jsonl"] {
        symlink(outside.join("file"), inside(name)).unwrap();
    }
    symlink(outside.join("missing"), inside("dangling")).unwrap();

    let record = old_record("build-42");
    for path in ["dir/file", "dir/new", "dir/new/er", "link", "dangling"] {
        let error = layout.put_artifact(&id, &metadata(path, b"x"), &b"x"[..]).await.unwrap_err();
        assert!(matches!(error, LayoutError::Symlink { .. }), "{path}: {error}");
        assert!(layout.artifact_path(&id, path).is_err());
    }
    let log = layout.log_writer(&id).await.unwrap().finish().await;
    assert!(matches!(log, Err(LayoutError::Symlink { .. })), "{log:?}");
    assert!(layout.read_log(&id).await.is_err());
    assert!(matches!(layout.write_record(&record).await, Err(LayoutError::Symlink { .. })));
    assert!(matches!(layout.read_record(&id).await, Err(LayoutError::Symlink { .. })));
    assert!(matches!(layout.write_steps(&id, &record.steps).await, Err(LayoutError::Symlink { .. })));
    assert!(fs::read_dir(layout.folder(&id)).unwrap().count() == 6, "something unfinished was left");

    layout.delete(&id).await.unwrap();
    assert!(!layout.folder(&id).exists());
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "untouched");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn a_jobs_folder_that_is_a_link_is_left_alone() {
    let (folder, layout) = layout();
    let record = old_record("build-42");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(layout.root()).unwrap();
    symlink(&outside, layout.folder(&record.job_id)).unwrap();
    let error = layout.write_record(&record).await.unwrap_err();
    assert!(error.to_string().ends_with("build-42 is a symbolic link; remove it"), "{error}");
    assert!(layout.put_artifact(&record.job_id, &metadata("x", b""), &b""[..]).await.is_err());
    assert!(layout.log_writer(&record.job_id).await.is_err());
    assert!(layout.delete(&record.job_id).await.is_err());
    assert!(layout.read_records().await[0].1.is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn the_root_may_be_reached_through_a_link() {
    let (folder, layout) = layout();
    fs::create_dir(folder.path().join("disk")).unwrap();
    symlink(folder.path().join("disk"), layout.root()).unwrap();
    layout.write_record(&old_record("build-42")).await.unwrap();
    assert!(folder.path().join("disk/build-42/run.json").exists());
}

proptest! {
    #[test]
    fn an_artifacts_place_is_below_its_jobs_folder(path in r"[ab./\\]{0,10}|.*") {
        let layout = RunLayout::new("/nowhere-to-be-found");
        if let Ok(place) = layout.artifact_path(&job("a"), &path) {
            prop_assert!(place.starts_with("/nowhere-to-be-found/a"));
            prop_assert!(place != layout.folder(&job("a")));
            prop_assert!(place.components().all(|c| c != std::path::Component::ParentDir));
        }
    }
}
