//! Files of sandboxes, with the program as users run it and a real engine.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result};
use orcaops_tests::docker::test_image;
use orcaops_tests::laptop::{Laptop, exits, text};
use orcaops_tests::process::{Process, command, free_port};
use orcaops_tests::wait::until;
use serde_json::{Value, json};

/// A folder with a file of sandboxes, and commands that are run in it.
struct Folder {
    laptop: Laptop,
    folder: tempfile::TempDir,
}

impl Folder {
    async fn with(sandboxes: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("sandboxes.yml"), sandboxes.replace("IMAGE", &test_image()))?;
        Ok(Self { laptop: Laptop::new().await?, folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn sandbox(&self, args: &[&str]) -> Result<Output> {
        let args = [&["sandbox"], args].concat();
        Ok(command(&args, &self.laptop.env()).current_dir(self.path()).output()?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_entries_are_reported_with_their_place_and_the_rest_is_usable() -> Result<()> {
    let folder = Folder::with(
        "sandboxes:\n  - {name: good, image: IMAGE, command: [echo, fine]}\n  - {name: bad, image: IMAGE, timeout: 0}\n",
    )
    .await?;
    let list = folder.sandbox(&["list"])?;
    exits(&list, 0)?;
    assert!(text(&list.stdout).contains("good") && !text(&list.stdout).contains("bad"), "{list:?}");

    let problems = text(&list.stderr);
    let problem = "orcaops: sandboxes.yml:3:";
    assert!(problems.starts_with(problem), "{problems}");
    assert!(
        problems.ends_with(": /sandboxes/1/timeout (bad) is 0; it must be from 1 to 86400\n"),
        "{problems}"
    );
    let validate = folder.sandbox(&["validate"])?;
    exits(&validate, 1)?;
    assert_eq!(text(&validate.stdout), "1 thing is wrong; sandboxes that can be used: 1\n");

    exits(&folder.sandbox(&["run", "bad"])?, 125)?;
    let unknown = folder.sandbox(&["run", "other"])?;
    exits(&unknown, 125)?;
    assert!(text(&unknown.stderr).contains("has no sandbox other; it has good"), "{unknown:?}");
    let good = folder.sandbox(&["run", "good", "--follow"])?;
    exits(&good, 0)?;
    assert_eq!(text(&good.stdout), "fine\n");

    std::fs::rename(folder.path().join("sandboxes.yml"), folder.path().join("other.yaml"))?;
    let none = folder.sandbox(&["list"])?;
    exits(&none, 125)?;
    assert!(text(&none.stderr).contains("there is no sandboxes.yml"), "{none:?}");
    exits(&folder.sandbox(&["list", "-f", "other.yaml"])?, 0)?;
    folder.laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_gets_what_its_entry_says_and_flags_have_the_last_word() -> Result<()> {
    let folder = Folder::with(
        "\
sandboxes:
  - name: reader
    image: IMAGE
    command: [sh, -c, 'cat /data/in.txt; echo $WHO $MORE; echo x > /data/no; exit 7']
    volumes: {./data: {bind: /data, mode: ro}}
    environment: [WHO=entry]
    success_exit_codes: [7]
  - {name: slow, image: IMAGE, command: [sleep, '600'], cleanup_policy: never_remove}
  - {name: bare, image: IMAGE}
",
    )
    .await?;
    std::fs::create_dir(folder.path().join("data"))?;
    std::fs::write(folder.path().join("data/in.txt"), "from the host\n")?;

    let run = folder.sandbox(&["run", "reader", "--follow", "-e", "MORE=flag"])?;
    exits(&run, 0)?;
    assert_eq!(text(&run.stdout), "from the host\nentry flag\n");
    assert!(!folder.path().join("data/no").exists(), "it is mounted read-only");
    let own =
        folder.sandbox(&["run", "reader", "--follow", "-e", "WHO=flag", "--command", "echo $WHO; exit 3"])?;
    exits(&own, 3)?;
    assert_eq!(text(&own.stdout), "flag\n");

    exits(&folder.sandbox(&["run", "slow", "--timeout", "1"])?, 124)?;
    let bare = folder.sandbox(&["run", "bare"])?;
    exits(&bare, 125)?;
    assert!(text(&bare.stderr).contains("has neither an entrypoint nor a command"), "{bare:?}");
    let kept = folder.laptop.containers.list().await?;
    assert_eq!(kept.len(), 2, "the failure, and what is never removed; what never ran is not kept");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandboxs_ports_can_be_reached_while_it_runs() -> Result<()> {
    let port = free_port()?;
    let entry = format!(
        "sandboxes:\n  - name: web\n    image: IMAGE\n    command: [sh, -c, 'echo hello > /tmp/index.html; httpd -f -p 80 -h \
         /tmp']\n    ports: {{80/tcp: {port}}}\n    cleanup_policy: always_remove\n"
    );
    let folder = Folder::with(&entry).await?;
    let log = folder.path().join("run.log");
    let file = folder.path().join("sandboxes.yml");
    let args = ["sandbox", "run", "web", "-f", file.to_str().context("path")?];
    let mut run = Process::start(&args, &folder.laptop.env(), &log)?;
    let url = format!("http://127.0.0.1:{port}/");
    until("the port answers", Duration::from_secs(60), async || {
        let Ok(answer) = reqwest::get(&url).await else { return false };
        answer.text().await.is_ok_and(|page| page == "hello\n")
    })
    .await
    .with_context(|| run.log())?;
    run.signal("INT")?;
    assert_eq!(run.ended(Duration::from_secs(60)).await?.code(), Some(130), "{}", run.log());
    folder.laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_sandboxes_by_its_own_operators_rules() -> Result<()> {
    let folder = Folder::with(
        "sandboxes:\n  - {name: plain, image: IMAGE, command: [echo, there]}\n  - {name: greedy, image: IMAGE, command: \
         ['true'], volumes: {/srv: {bind: /data}}}\n",
    )
    .await?;
    let _dev = folder.laptop.dev("1").await?;
    let url = format!("http://{}", folder.laptop.address());
    let plain = folder.sandbox(&["run", "plain", "--follow", "--server", &url])?;
    exits(&plain, 0)?;
    assert_eq!(text(&plain.stdout), "there\n");
    let greedy = folder.sandbox(&["run", "greedy", "--json", "--server", &url])?;
    exits(&greedy, 125)?;
    let record: Value = serde_json::from_slice(&greedy.stdout)?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("failed"), &json!("policy")), "{record:#}");
    folder.laptop.containers.all_gone().await
}
