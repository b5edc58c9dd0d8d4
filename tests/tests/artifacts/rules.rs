//! Which files are kept, and how.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use orcaops_tests::client::shell;
use orcaops_tests::laptop::{Laptop, exits, text};
use serde_json::{Value, json};

/// A job that runs a command and keeps what the patterns name.
pub(crate) fn keeping(command: &str, patterns: &[&str]) -> Value {
    let mut spec = shell(&[command]);
    spec["artifacts"] = json!(patterns);
    spec["workdir"] = json!("/work");
    spec
}

pub(crate) fn paths(record: &Value) -> Vec<&str> {
    let artifacts = record["artifacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    artifacts.iter().filter_map(|a| a["path"].as_str()).collect()
}

fn mode(path: &Path) -> Result<u32> {
    let metadata = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    Ok(metadata.permissions().mode() & 0o7777)
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_choose_leave_out_and_are_noted_when_they_match_nothing() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let files = "mkdir -p out/tmp out/a/reports b/reports; \
                 touch out/x.log out/tmp/y.log out/a/reports/1.xml b/reports/2.xml b/other";
    let patterns =
        ["out/**", "!out/tmp", "*/reports", "{missing,absent}/*.txt", "!none/**", "out/tmp/y.*", "no/folder"];
    let record = laptop.client.run(&keeping(files, &patterns)).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(paths(&record), ["b/reports/2.xml", "out/a/reports/1.xml", "out/tmp/y.log", "out/x.log"]);
    let notes = json!([
        "artifact pattern \"{missing,absent}/*.txt\" matches no file",
        "artifact pattern \"no/folder\" matches no file"
    ]);
    assert_eq!(record["notes"], notes);
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_goes_all_the_way_and_a_download_can_be_repeated() -> Result<()> {
    let laptop = Laptop::new().await?;
    let mut dev = laptop.dev("1").await?;
    let files = "mkdir bin; printf '#!/bin/sh\\necho ran\\n' > bin/tool; chmod 4755 bin/tool; \
                 echo x > locked; chmod 0440 locked";
    let mut spec = keeping(files, &["bin/tool", "locked"]);
    spec["job_id"] = json!("modes");
    let record = laptop.client.run(&spec).await?;
    let modes: Vec<_> =
        record["artifacts"].as_array().context("artifacts")?.iter().map(|a| &a["mode"]).collect();
    assert_eq!(modes, ["0755", "0440"]);
    let target = tempfile::tempdir()?;
    let into = target.path().to_str().context("path")?;
    for name in ["bin/tool", "locked"] {
        for _ in 0..2 {
            exits(&laptop.orcaops(&["jobs", "download", "modes", name, "-d", into])?, 0)?;
        }
    }
    assert_eq!(mode(&target.path().join("tool"))?, 0o755, "never set-uid");
    assert_eq!(mode(&target.path().join("locked"))?, 0o640, "its owner can replace it");
    let ran = std::process::Command::new(target.path().join("tool")).output()?;
    assert_eq!(text(&ran.stdout), "ran\n");

    // `orcaops run` brings them home as well, and the layout has them.
    dev.signal("TERM")?;
    dev.ended(Duration::from_secs(60)).await?;
    let image = orcaops_tests::docker::test_image();
    let command = "printf '#!/bin/sh\\n' > /tmp/tool; chmod 755 /tmp/tool";
    let run = ["run", &image, "--id", "again", "-a", "/tmp/tool", "--download", into, "--", command];
    for id in ["again", "once-more"] {
        let run = run.map(|arg| if arg == "again" { id } else { arg });
        exits(&laptop.orcaops(&run)?, 0)?;
        assert_eq!(mode(&target.path().join("tool"))?, 0o755);
        assert_eq!(mode(&laptop.home.path().join("artifacts").join(id).join("tool"))?, 0o755);
    }
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sparse_file_that_says_it_is_huge_fails_its_job_and_takes_no_space() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let spec = keeping("truncate -s 1024G disk.img; echo kept > small", &["*"]);
    let record = laptop.client.run(&spec).await?;
    assert_eq!(
        (&record["status"], &record["end_cause"]),
        (&json!("failed"), &json!("artifacts")),
        "{record:#}"
    );
    let error = record["error"].as_str().context("no error")?;
    assert!(error.contains("not all artifacts were kept") && error.contains("10737418240 bytes"), "{error}");
    let note = "artifact left out: /work/disk.img: it has 1099511627776 bytes, of which only 10737418240 may still \
                be kept";
    assert_eq!(record["notes"], json!([note]));
    assert_eq!(paths(&record), ["small"]);
    laptop.containers.all_gone().await
}
