//! How images come onto a worker's host, from a registry of the tests' own.

use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use orcaops_tests::client::{PATIENCE, shell};
use orcaops_tests::laptop::Laptop;
use orcaops_tests::registry::{Hold, PASSWORD, Registry, USERNAME};
use orcaops_tests::wait::until;
use serde_json::{Value, json};

fn of(registry: &Registry, pull_policy: &str) -> Value {
    let mut spec = shell(&["cat /etc/unique"]);
    spec["sandbox"]["image"] = json!(registry.image());
    spec["pull_policy"] = json!(pull_policy);
    spec
}

/// What OrcaOps itself wrote to a job's log.
async fn system_lines(laptop: &Laptop, job: &str) -> Result<Vec<String>> {
    let lines = laptop.client.log(job).await?;
    let own = lines.iter().filter(|line| line["stream"] == "system");
    own.map(|line| line["line"].as_str().map(str::to_owned).context("no line")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_want_one_image_at_once_pull_it_once() -> Result<()> {
    let registry = Registry::start(false, Hold::Layer).await?;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("5").await?;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(laptop.client.submit(&of(&registry, "if_not_present")).await?);
    }
    for job in &jobs {
        let pulls = |line: &Value| line["line"].as_str().is_some_and(|l| l.starts_with("pulling image"));
        laptop.client.each_log_event(job, |_, data| Ok(pulls(&serde_json::from_str(data)?))).await?;
    }
    until("the layer is asked for", PATIENCE, async || registry.layers() == 1).await?;
    registry.let_go();
    for job in &jobs {
        let record = laptop.client.ended(job).await?;
        assert_eq!(record["status"], "success", "{record:#}");
    }
    assert_eq!((registry.manifests(), registry.layers()), (1, 1));
    let lines = system_lines(&laptop, &jobs[0]).await?;
    assert_eq!(lines[0], format!("pulling image {}", registry.image()));
    assert!(lines[lines.len() - 1].contains("1 layer, 2.0 MiB"), "{lines:?}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_takes_long_says_how_far_it_is() -> Result<()> {
    let registry = Registry::start(false, Hold::Layer).await?;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let job = laptop.client.submit(&of(&registry, "if_not_present")).await?;
    laptop.client.each_log_event(&job, |_, data| Ok(data.contains("so far"))).await?;
    registry.let_go();
    laptop.client.ended(&job).await?;
    let lines = system_lines(&laptop, &job).await?;
    assert!(lines[1].contains("0 of 1 layer, "), "{lines:?}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_says_whether_the_registry_is_asked() -> Result<()> {
    let registry = Registry::start(false, Hold::Nothing).await?;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let never = laptop.client.run(&of(&registry, "never")).await?;
    assert_eq!((&never["status"], &never["end_cause"]), (&json!("failed"), &json!("image")), "{never:#}");
    assert_eq!((&never["attempt"], registry.manifests()), (&json!(1), 0), "{never:#}");
    assert!(never["error"].as_str().is_some_and(|e| e.contains("/pull_policy")), "{never:#}");
    for (policy, asked) in [("if_not_present", 1), ("if_not_present", 1), ("always", 2), ("never", 2)] {
        let record = laptop.client.run(&of(&registry, policy)).await?;
        assert_eq!(record["status"], "success", "{record:#}");
        assert_eq!((registry.manifests(), registry.layers()), (asked, 1), "after {policy}");
        if policy == "always" {
            let job = record["job_id"].as_str().context("no id")?;
            let lines = system_lines(&laptop, job).await?;
            assert!(lines[1].contains("is up to date"), "{lines:?}");
        }
    }
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_image_is_pulled_with_a_credential_and_refused_without() -> Result<()> {
    let registry = Registry::start(true, Hold::Nothing).await?;
    let laptop = Laptop::new().await?;
    let file = laptop.home.path().join("credentials.toml");
    let address = registry.address();
    let entry = |name: &str, server: &str, password: &str| {
        format!("[{name}]\nserver = \"{server}\"\nusername = \"{USERNAME}\"\npassword = \"{password}\"\n")
    };
    let entries = [
        entry("right", address, PASSWORD),
        entry("wrong", address, "not-it"),
        entry("elsewhere", "registry.example", PASSWORD),
    ];
    std::fs::write(&file, entries.concat())?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    let dev = laptop.dev_with(&["--credentials", file.to_str().context("path")?, "--log", "debug"]).await?;

    let rows = [
        (None, "failed", json!("image"), "/registry_auth"),
        (Some("wrong"), "failed", json!("image"), "wrong of /registry_auth"),
        (Some("elsewhere"), "failed", json!("policy"), "a credential for registry.example"),
        (Some("nobody"), "failed", json!("policy"), "ORCAOPS_CREDENTIALS"),
        (Some("right"), "success", json!("exit"), ""),
    ];
    for (credential, status, cause, words) in rows {
        let mut spec = of(&registry, "always");
        if let Some(name) = credential {
            spec["registry_auth"] = json!(name);
        }
        let record = laptop.client.run(&spec).await?;
        assert_eq!((&record["status"], &record["end_cause"]), (&json!(status), &cause), "{record:#}");
        assert_eq!(record["attempt"], 1, "{record:#}");
        let error = record["error"].as_str().unwrap_or_default();
        assert!(error.contains(words), "{credential:?}: {error}");
    }
    for password in [PASSWORD, "not-it"] {
        assert!(!dev.log().contains(password), "a password is in the log");
    }
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_for_a_pull_can_be_cancelled_alone() -> Result<()> {
    let registry = Registry::start(false, Hold::Manifest).await?;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let first = laptop.client.submit(&of(&registry, "if_not_present")).await?;
    let second = laptop.client.submit(&of(&registry, "if_not_present")).await?;
    for job in [&first, &second] {
        laptop.client.each_log_event(job, |_, data| Ok(data.contains("pulling image"))).await?;
    }
    until("the registry keeps the engine waiting", PATIENCE, async || registry.kept_waiting() == 1).await?;
    laptop.client.cancel(&first).await?;
    let record = laptop.client.ended(&first).await?;
    assert_eq!(record["status"], "cancelled", "{record:#}");
    assert_eq!(registry.kept_waiting(), 1, "the other one waits on");
    registry.let_go();
    let record = laptop.client.ended(&second).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(registry.manifests(), 1);
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_holds_up_no_cancellation() -> Result<()> {
    // What the engine does with its own connection to the registry then is its own affair.
    for hold in [Hold::Manifest, Hold::Layer] {
        let registry = Registry::start(false, hold).await?;
        let laptop = Laptop::new().await?;
        let _dev = laptop.dev("1").await?;
        let job = laptop.client.submit(&of(&registry, "always")).await?;
        until("the registry keeps the engine waiting", PATIENCE, async || registry.kept_waiting() == 1)
            .await?;
        laptop.client.cancel(&job).await?;
        let record = laptop.client.ended(&job).await?;
        assert_eq!(record["status"], "cancelled", "{record:#}");
        laptop.containers.all_gone().await?;
    }
    Ok(())
}
