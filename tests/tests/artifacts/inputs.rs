//! Files that go into jobs.

use anyhow::{Context, Result};
use orcaops_tests::client::shell;
use orcaops_tests::laptop::{Laptop, exits, text};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_lead_out_are_refused_and_named() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let mut spec = shell(&["true"]);
    spec["inputs"] = json!([
        { "path": "/etc/passwd", "content": "" },
        { "path": "a/../../x", "content": "" },
        { "path": "fine", "content": "" },
    ]);
    let (status, problem) = laptop.client.post("/orcaops/jobs", &spec).await?;
    assert_eq!(status, 422, "{problem:#}");
    let told = problem.to_string();
    for words in ["/inputs/0/path", "absolute", "/inputs/1/path", "`..`"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert!(!told.contains("/inputs/2"), "{told}");

    let folder = tempfile::tempdir()?;
    let upload = folder.path().to_str().context("path")?;
    let image = orcaops_tests::docker::test_image();
    for (name, target) in [("absolute", "/etc/passwd"), ("climbs", "../../etc/passwd")] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(target, &link)?;
        let run = laptop.orcaops(&["run", &image, "--upload", upload, "--", "true"])?;
        exits(&run, 125)?;
        assert!(text(&run.stderr).contains(name), "{}", text(&run.stderr));
        std::fs::remove_file(link)?;
    }
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_can_be_executed_if_it_says_so() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let mut spec = shell(&["bin/tool; stat -c %a bin/tool data; ! ./data 2>/dev/null"]);
    spec["workdir"] = json!("/work");
    spec["inputs"] = json!([
        { "path": "bin/tool", "content": "#!/bin/sh\necho ran\n", "executable": true },
        { "path": "data", "content": "echo never\n" },
    ]);
    let record = laptop.client.run(&spec).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(record["steps"][0]["stdout"], "ran\n755\n644\n");
    laptop.containers.all_gone().await
}
