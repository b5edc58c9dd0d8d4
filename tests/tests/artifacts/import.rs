//! Runs that another installation left behind.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use orcaops_tests::laptop::{Laptop, exits, text};
use serde_json::{Value, json};

/// What the older tool wrote for five jobs.
fn old_runs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/testdata/runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_the_older_tool_are_imported_shown_and_served() -> Result<()> {
    let laptop = Laptop::new().await?;
    let folder = old_runs();
    let folder = folder.to_str().context("path")?;
    let first = laptop.orcaops(&["runs", "import", folder])?;
    exits(&first, 0)?;
    assert!(
        text(&first.stdout).ends_with("\n5 imported, 0 passed over, 0 failed\n"),
        "{}",
        text(&first.stdout)
    );
    let again = laptop.orcaops(&["runs", "import", folder])?;
    exits(&again, 0)?;
    assert!(
        text(&again.stdout).ends_with("\n0 imported, 5 passed over, 0 failed\n"),
        "{}",
        text(&again.stdout)
    );

    let list = laptop.orcaops(&["jobs"])?;
    for line in ["build-42  success", "fail-7    failed", "slow-1    timed_out", "stop-me   cancelled"] {
        assert!(text(&list.stdout).contains(line), "{}", text(&list.stdout));
    }
    let logs = laptop.orcaops(&["jobs", "logs", "build-42"])?;
    exits(&logs, 0)?;
    assert_eq!((text(&logs.stdout), text(&logs.stderr)), ("compiling\n7 /out/app\n".into(), "warn\n".into()));

    // A server may run while runs are imported.
    let _dev = laptop.dev("1").await?;
    let (status, runs) = laptop.client.get("/orcaops/runs").await?;
    assert_eq!((status, &runs["total"]), (200, &json!(5)));
    let (status, app) = laptop.client.bytes("/orcaops/jobs/build-42/artifacts/app").await?;
    assert_eq!((status, app.as_slice()), (200, b"binary\n".as_slice()));
    let record = laptop.client.record("fail-7").await?;
    let written: Value = serde_json::from_slice(&std::fs::read(old_runs().join("fail-7/run.json"))?)?;
    for field in ["status", "fingerprint", "image_ref", "error"] {
        assert_eq!(record[field], written[field], "{field}");
    }
    let mut spec = orcaops_tests::client::shell(&["true"]);
    spec["job_id"] = json!("fail-7");
    assert_eq!(laptop.client.post("/orcaops/jobs", &spec).await?.0, 409, "its id is taken");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_told_and_the_exit_code_says_so() -> Result<()> {
    let laptop = Laptop::new().await?;
    let from = tempfile::tempdir()?;
    let run = from.path().join("build-42");
    std::fs::create_dir(&run)?;
    std::fs::copy(old_runs().join("build-42/run.json"), run.join("run.json"))?;
    let folder = from.path().to_str().context("path")?;
    let import = laptop.orcaops(&["runs", "import", folder, "--json"])?;
    exits(&import, 1)?;
    let told: Value = serde_json::from_slice(&import.stdout)?;
    let left_out = json!([{ "path": "app", "reason": "it is missing" }]);
    let expected =
        json!([{ "job_id": "build-42", "result": "imported", "artifacts": 0, "left_out": left_out }]);
    assert_eq!(told, expected);

    for (args, words) in [
        (vec!["runs", "import", "/no/such/folder"], "/no/such/folder holds no runs: it is not a folder"),
        (
            vec!["runs", "import", folder, "--server", "http://ci:8000"],
            "run it where the API's home folder is",
        ),
    ] {
        let refused = laptop.orcaops(&args)?;
        exits(&refused, 125)?;
        assert!(text(&refused.stderr).contains(words), "{}", text(&refused.stderr));
    }
    Ok(())
}
