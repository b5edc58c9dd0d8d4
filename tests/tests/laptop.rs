//! The same product on one machine, with nothing beside it but Docker.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use orcaops_tests::client::shell;
use orcaops_tests::docker::test_image;
use orcaops_tests::laptop::{Laptop, exits, text};
use orcaops_tests::process::Process;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_killed_dev_server_end_after_it_starts_again() -> Result<()> {
    let laptop = Laptop::new().await?;
    let mut dev = laptop.dev("1").await?;
    let running = laptop.client.submit(&shell(&["sleep 3; echo ran"])).await?;
    laptop.client.running(&running).await?;
    let mut queued = Vec::new();
    for n in 0..4 {
        queued.push(laptop.client.submit(&shell(&[&format!("echo queued {n}")])).await?);
    }
    dev.kill()?;
    let _dev = laptop.dev("2").await?;
    let record = laptop.client.ended(&running).await?;
    assert_eq!((&record["status"], &record["attempt"]), (&json!("success"), &json!(2)), "{record:#}");
    for job in queued {
        let record = laptop.client.ended(&job).await?;
        assert_eq!((&record["status"], &record["attempt"]), (&json!("success"), &json!(1)), "{record:#}");
    }
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn run_exits_with_the_jobs_own_code() -> Result<()> {
    let laptop = Laptop::new().await?;
    let image = test_image();
    let ok = laptop.orcaops(&["run", &image, "-f", "--", "echo to stdout; echo to stderr >&2"])?;
    exits(&ok, 0)?;
    assert_eq!(text(&ok.stdout), "to stdout\n");
    assert!(text(&ok.stderr).contains("to stderr"));
    exits(&laptop.orcaops(&["run", &image, "--", "exit 3"])?, 3)?;
    exits(&laptop.orcaops(&["run", &image, "-t", "10", "--", "sleep 60"])?, 124)?;
    exits(&laptop.orcaops(&["run", &image, "--", "echo", "two words"])?, 0)?;
    let missing = laptop.orcaops(&["run", "orcaops-test:no-such-tag", "--", "true"])?;
    exits(&missing, 125)?;
    assert!(text(&missing.stderr).contains("orcaops-test:no-such-tag"), "{}", text(&missing.stderr));

    let list = laptop.orcaops(&["jobs", "--json"])?;
    exits(&list, 0)?;
    let jobs: Value = serde_json::from_slice(&list.stdout)?;
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(5), "{jobs:#}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_in_and_artifacts_come_out() -> Result<()> {
    let laptop = Laptop::new().await?;
    let folder = tempfile::tempdir()?;
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(path, content)
    };
    write("main.sh", "cat data/in.txt > out/report.txt; ls -A >> out/report.txt\n")?;
    write("data/in.txt", "input\n")?;
    write(".gitignore", "secret\n")?;
    write("secret", "not to be sent\n")?;
    let upload = folder.path().to_str().context("path")?.to_owned();
    let image = test_image();
    let run = laptop.orcaops(&[
        "run",
        &image,
        "--id",
        "report",
        "--upload",
        &upload,
        "-a",
        "out/*.txt",
        "--",
        "mkdir out && sh main.sh",
    ])?;
    exits(&run, 0)?;
    let target = tempfile::tempdir()?;
    let into = target.path().to_str().context("path")?;
    exits(&laptop.orcaops(&["jobs", "download", "report", "out/report.txt", "-d", into])?, 0)?;
    let report = std::fs::read_to_string(target.path().join("report.txt"))
        .or_else(|_| std::fs::read_to_string(target.path().join("out/report.txt")))?;
    assert_eq!(report, "input\n.gitignore\ndata\nmain.sh\nout\n");
    exits(&laptop.orcaops(&["jobs", "status", "report"])?, 0)?;
    let logs = laptop.orcaops(&["jobs", "logs", "report"])?;
    exits(&logs, 0)?;
    exits(&laptop.orcaops(&["jobs", "status", "no-such-job"])?, 125)?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_cancels_its_job() -> Result<()> {
    let laptop = Laptop::new().await?;
    let log = laptop.home.path().join("run.log");
    let image = test_image();
    let args = ["run", image.as_str(), "-f", "--", "echo up; sleep 600"];
    let mut run = Process::start(&args, &laptop.env(), &log)?;
    orcaops_tests::wait::until("the job runs", Duration::from_secs(60), async || run.log().contains("up"))
        .await?;
    run.signal("INT")?;
    let status = run.ended(Duration::from_secs(60)).await?;
    assert_eq!(status.code(), Some(130), "{}", run.log());
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_fail_fast_and_limits_hold() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let client = &laptop.client;

    let mut spec = shell(&["echo one; exit 4", "echo two"]);
    spec["artifacts"] = json!(["/tmp/none-*"]);
    let failed = client.run(&spec).await?;
    assert_eq!((&failed["status"], &failed["end_cause"]), (&json!("failed"), &json!("exit")));
    assert_eq!(failed["steps"].as_array().map(Vec::len), Some(1), "the second step never ran");
    assert_eq!(failed["steps"][0]["exit_code"], 4);

    let mut slow = shell(&["(setsid sleep 600 &) ; sleep 600"]);
    slow["commands"][0]["timeout_seconds"] = json!(1);
    let slow = client.run(&slow).await?;
    assert_eq!((&slow["status"], &slow["end_cause"]), (&json!("timed_out"), &json!("timeout")), "{slow:#}");
    assert_eq!(slow["steps"][0]["exit_code"], 124);

    let mut greedy = shell(&["a=x; while true; do a=$a$a; done"]);
    greedy["sandbox"]["resources"] = json!({ "memory": "32m", "pids": 64, "cpu": 0.5 });
    let greedy = client.run(&greedy).await?;
    assert_eq!((&greedy["status"], &greedy["end_cause"]), (&json!("failed"), &json!("oom")), "{greedy:#}");

    let mut env = shell(&["echo $GREETING $ORCAOPS_ATTEMPT; id -u; grep NoNewPrivs /proc/1/status"]);
    env["sandbox"]["env"] = json!({ "GREETING": "hello" });
    let env = client.run(&env).await?;
    assert_eq!(env["steps"][0]["stdout"], "hello 1\n0\nNoNewPrivs:\t1\n", "{env:#}");

    let mut image = shell(&["true"]);
    image["sandbox"]["image"] = json!("orcaops-test:no-such-tag");
    let image = client.run(&image).await?;
    assert_eq!((&image["status"], &image["end_cause"]), (&json!("failed"), &json!("image")), "{image:#}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_can_be_followed_live_and_read_again() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let job = laptop.client.submit(&shell(&["echo first; echo second >&2; sleep 600"])).await?;
    let mut lines = Vec::new();
    laptop
        .client
        .each_log_event(&job, |_, data| {
            let line: Value = serde_json::from_str(data)?;
            lines.push((line["stream"].clone(), line["line"].clone()));
            Ok(line["line"] == "second")
        })
        .await?;
    assert_eq!(lines, [(json!("stdout"), json!("first")), (json!("stderr"), json!("second"))]);
    assert_eq!(laptop.client.record(&job).await?["status"], "running", "its log came before its end");
    laptop.client.cancel(&job).await?;
    laptop.client.ended(&job).await?;
    let again = laptop.client.log(&job).await?;
    let again: Vec<_> = again.iter().map(|l| (l["stream"].clone(), l["line"].clone())).collect();
    assert_eq!(again[..2], lines, "the same again once it has ended");
    laptop.containers.all_gone().await
}
