//! Images, built by the real engine from contexts that users send.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcaops_tests::built::Images;
use orcaops_tests::docker::test_image;
use orcaops_tests::laptop::{Laptop, exits, text};
use orcaops_tests::process::{Process, free_port};
use orcaops_tests::receiver::Receiver;
use orcaops_tests::registry::{Hold, PASSWORD, Registry, USERNAME};
use orcaops_tests::wait::until;
use serde_json::{Value, json};

/// A context as a tar.
fn tar(files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let content = content.replace("IMAGE", &test_image());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes())?;
    }
    Ok(tar.into_inner()?)
}

fn write(folder: &Path, files: &[(&str, &str)]) -> Result<()> {
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().context("parent")?)?;
        std::fs::write(path, content.replace("IMAGE", &test_image()))?;
    }
    Ok(())
}

async fn submit(laptop: &Laptop, query: &str, context: Vec<u8>) -> Result<String> {
    let (status, body) = laptop.client.post_tar(&format!("/orcaops/images/build?{query}"), context).await?;
    ensure!(status == 201, "{status}: {body:#}");
    Ok(body["job_id"].as_str().context("no job_id")?.to_owned())
}

async fn build(laptop: &Laptop, query: &str, context: Vec<u8>) -> Result<Value> {
    let job = submit(laptop, query, context).await?;
    laptop.client.ended(&job).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_built_image_is_recorded_named_and_runs_what_its_dockerfile_says() -> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let name = images.name();
    let _dev = laptop.dev("1").await?;
    let dockerfile = "FROM IMAGE\nARG WHO=nobody\nRUN echo for $WHO; mkdir /app; ip route; cat \
                      /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true\nCOPY data \
                      /app/\nWORKDIR /app\nENTRYPOINT [\"/bin/cat\"]\nCMD [\"greeting\"]\n";
    let context = tar(&[("docker/build.txt", dockerfile), ("data/greeting", "hello from the image\n")])?;
    let query = format!(
        "name={name}&version=1&latest=true&dockerfile=docker/build.txt&arg=WHO=tests&memory=64m&cpu=0.5"
    );
    let record = build(&laptop, &query, context).await?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("success"), &json!("exit")), "{record:#}");
    let built = &record["built_image"];
    assert_eq!(built["tags"], json!([format!("{name}:1"), format!("{name}:latest")]));
    assert_eq!(built["pushed"], false);
    let (id, size) = images.inspect(&format!("{name}:latest")).await?;
    assert_eq!((built["id"].as_str(), built["size_bytes"].as_i64()), (Some(id.as_str()), Some(size)));

    let step = &record["steps"][0];
    assert_eq!((&step["exit_code"], &step["success"]), (&json!(0), &json!(true)));
    let command = step["command"].as_str().unwrap_or_default();
    assert!(
        command.starts_with(&format!("docker build -t {name}:1")) && !command.contains("tests"),
        "{command}"
    );
    let log = step["stdout"].as_str().unwrap_or_default();
    assert!(log.contains("for tests\n") && log.contains("Step 2/"), "{log}");
    assert!(log.contains(&(64 << 20).to_string()), "the memory is limited: {log}");
    let gateway = images.gateway("orcaops-jobs").await?;
    assert!(log.contains(&format!("default via {gateway}")), "the build is in the network of jobs: {log}");
    let job = record["job_id"].as_str().context("job_id")?;
    let lines = laptop.client.log(job).await?;
    assert!(lines.iter().any(|l| l["line"] == "for tests" && l["stream"] == "stdout"), "{lines:#?}");

    let spec =
        json!({ "sandbox": { "image": format!("{name}:1") }, "commands": [{ "image_command": true }] });
    let run = laptop.client.run(&spec).await?;
    assert_eq!(run["steps"][0]["stdout"], "hello from the image\n", "{run:#}");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_says_why_in_the_builders_words() -> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let name = images.name();
    let _dev = laptop.dev("2").await?;
    for (dockerfile, words) in [
        ("FROM IMAGE\nRUN echo before; exit 7\n", "returned a non-zero code: 7"),
        ("FORM IMAGE\n", "unknown instruction: FORM"),
        ("FROM IMAGE\nCOPY nothing /x\n", "nothing"),
    ] {
        let record = build(&laptop, &format!("name={name}"), tar(&[("Dockerfile", dockerfile)])?).await?;
        assert_eq!(
            (&record["status"], &record["end_cause"]),
            (&json!("failed"), &json!("exit")),
            "{record:#}"
        );
        let error = record["error"].as_str().unwrap_or_default();
        assert!(error.starts_with("the image could not be built: ") && error.contains(words), "{error}");
        let step = &record["steps"][0];
        assert_eq!((&step["exit_code"], &step["success"]), (&json!(1), &json!(false)));
        assert!(step["stderr"].as_str().is_some_and(|e| e.contains(words)), "{step:#}");
        assert_eq!(record["built_image"], Value::Null);
        assert_eq!(record["attempt"], 1, "nothing gets better by trying again");
    }
    assert!(images.inspect(&name).await.is_err(), "no image has the name");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_cancelled_or_out_of_time_leaves_no_container() -> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let name = images.name();
    let _dev = laptop.dev("2").await?;
    let marks = ["cancelled", "late"].map(|why| format!("{why}-{}", uuid::Uuid::new_v4().simple()));
    let context = |mark: &str| tar(&[("Dockerfile", &format!("FROM IMAGE\nRUN echo {mark}; sleep 600\n"))]);
    let late = submit(&laptop, &format!("name={name}&timeout=10"), context(&marks[1])?).await?;
    let cancelled = submit(&laptop, &format!("name={name}"), context(&marks[0])?).await?;
    laptop
        .client
        .each_log_event(&cancelled, |_, data| {
            Ok(serde_json::from_str::<Value>(data)?["line"] == marks[0].as_str())
        })
        .await?;
    assert_eq!(images.containers_of(&marks[0]).await?, 1, "the step runs");
    laptop.client.cancel(&cancelled).await?;
    for (job, status, code) in [(cancelled, "cancelled", 130), (late, "timed_out", 124)] {
        let record = laptop.client.ended(&job).await?;
        assert_eq!(record["status"], status, "{record:#}");
        assert_eq!(record["steps"][0]["exit_code"], code, "{record:#}");
    }
    for mark in &marks {
        until("the build's container is gone", Duration::from_secs(30), async || {
            images.containers_of(mark).await.is_ok_and(|n| n == 0)
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_goes_on_elsewhere_when_its_server_is_killed() -> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let (name, mark) = (images.name(), format!("killed-{}", uuid::Uuid::new_v4().simple()));
    let mut dev = laptop.dev("1").await?;
    let context = tar(&[("Dockerfile", &format!("FROM IMAGE\nRUN echo {mark}; sleep 4\n"))])?;
    let job = submit(&laptop, &format!("name={name}"), context).await?;
    until("the step runs", Duration::from_secs(60), async || {
        images.containers_of(&mark).await.is_ok_and(|n| n == 1)
    })
    .await?;
    dev.kill()?;
    until("the engine breaks the build off", Duration::from_secs(30), async || {
        images.containers_of(&mark).await.is_ok_and(|n| n == 0)
    })
    .await?;
    let _dev = laptop.dev("1").await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!((&record["status"], &record["attempt"]), (&json!("success"), &json!(2)), "{record:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_pushed_fails_with_the_registrys_words_and_is_built_all_the_same()
-> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let name = images.name_at(&format!("127.0.0.1:{}", free_port()?));
    let _dev = laptop.dev("1").await?;
    let record =
        build(&laptop, &format!("name={name}&push=true"), tar(&[("Dockerfile", "FROM IMAGE\n")])?).await?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("failed"), &json!("exit")), "{record:#}");
    let error = record["error"].as_str().unwrap_or_default();
    assert!(error.contains("could not be pushed: ") && error.contains("connection refused"), "{error}");
    assert_eq!(record["steps"][1]["command"], format!("docker push {name}:latest"), "{record:#}");
    assert_eq!(record["built_image"]["pushed"], false, "{record:#}");
    Ok(())
}

/// A server whose operator has a credential `tests` for that registry.
async fn dev_that_knows(laptop: &Laptop, registry: &str) -> Result<Process> {
    let credentials = laptop.home.path().join("credentials.toml");
    let entry = format!("[tests]\nserver = '{registry}'\nusername = '{USERNAME}'\npassword = '{PASSWORD}'\n");
    std::fs::write(&credentials, entry)?;
    std::fs::set_permissions(&credentials, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    laptop.dev_with(&["--credentials", credentials.to_str().context("path")?]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_image_is_pulled_with_the_credential_that_the_operator_keeps() -> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let name = images.name();
    let registry = Registry::start(true, Hold::Nothing).await?;
    let _dev = dev_that_knows(&laptop, registry.address()).await?;
    let context = || tar(&[("Dockerfile", &format!("FROM {}\n", registry.image()))]);
    let stranger = build(&laptop, &format!("name={name}"), context()?).await?;
    assert_eq!(
        (&stranger["status"], &stranger["end_cause"]),
        (&json!("failed"), &json!("exit")),
        "{stranger:#}"
    );
    let record = build(&laptop, &format!("name={name}&registry_auth=tests"), context()?).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(registry.layers(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pushed_under_all_its_names_with_the_credential_that_the_operator_keeps() -> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let registry = Receiver::start().await?;
    let name = images.name_at(registry.address());
    let _dev = dev_that_knows(&laptop, registry.address()).await?;
    let context = || tar(&[("Dockerfile", "FROM IMAGE\n")]);
    let query = format!("name={name}&version=1&latest=true&push=true");

    let stranger = build(&laptop, &query, context()?).await?;
    assert_eq!(stranger["status"], "failed", "{stranger:#}");
    assert!(
        stranger["error"].as_str().is_some_and(|e| e.contains("no basic auth credentials")),
        "{stranger:#}"
    );

    let record = build(&laptop, &format!("{query}&registry_auth=tests"), context()?).await?;
    assert_eq!(
        (&record["status"], &record["built_image"]["pushed"]),
        (&json!("success"), &json!(true)),
        "{record:#}"
    );
    let commands: Vec<_> =
        record["steps"].as_array().context("steps")?.iter().map(|s| s["command"].clone()).collect();
    assert_eq!(
        commands[1..],
        [json!(format!("docker push {name}:1")), json!(format!("docker push {name}:latest"))]
    );
    let (_, repository) = name.split_once('/').context("name")?;
    for version in ["1", "latest"] {
        let pushed = registry.image(repository, version);
        assert_eq!(pushed.as_deref(), record["built_image"]["id"].as_str(), "{version}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn orcaops_build_sends_a_folder_and_exits_as_run_does() -> Result<()> {
    let laptop = Laptop::new().await?;
    let images = Images::new().await?;
    let name = images.name();
    let folder = tempfile::tempdir()?;
    let files = [
        (
            "Dockerfile",
            "FROM IMAGE\nARG CODE=9\nRUN exit $CODE\nCOPY . /src\nRUN cd /src && find . -type f | sort\n",
        ),
        (".dockerignore", "secret\n"),
        (".gitignore", "kept\n"),
        ("bad/Dockerfile", "FROM IMAGE\nRUN exit 3\n"),
        ("secret", "x"),
        ("kept", "x"),
    ];
    write(folder.path(), &files)?;
    let path = folder.path().to_str().context("path")?;
    let versioned = format!("{name}:2");
    let built =
        laptop.orcaops(&["build", path, "-t", &versioned, "--latest", "--arg", "CODE=0", "--id", "image"])?;
    exits(&built, 0)?;
    let log = text(&built.stdout);
    assert!(log.contains("./.dockerignore\n./.gitignore\n./Dockerfile\n./bad/Dockerfile\n./kept\n"), "{log}");
    let (id, _) = images.inspect(&format!("{name}:latest")).await?;
    let said = text(&built.stderr);
    assert!(said.contains(&format!("built {versioned}, {name}:latest (")) && said.contains(&id), "{said}");
    let status = laptop.orcaops(&["jobs", "status", "image"])?;
    assert!(text(&status.stdout).contains(&id), "{status:?}");

    let failed = laptop.orcaops(&["build", path, "-t", &versioned, "-f", "bad/Dockerfile", "--json"])?;
    exits(&failed, 1)?;
    let record: Value = serde_json::from_slice(&failed.stdout)?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("failed"), &json!("exit")), "{record:#}");

    let wrong = laptop.orcaops(&["build", path, "-t", "UP", "--arg", "x", "--memory", "4g"])?;
    exits(&wrong, 125)?;
    for flag in ["--tag: `UP` has upper-case letters", "--arg: is `x`", "--memory: is more than"] {
        assert!(text(&wrong.stderr).contains(flag), "{flag}: {wrong:?}");
    }
    exits(&laptop.orcaops(&["build", path, "-t", &versioned, "-f", "other"])?, 125)?;

    let log = laptop.home.path().join("build.log");
    std::fs::write(
        folder.path().join("Dockerfile"),
        format!("FROM {}\nRUN echo up; sleep 600\n", test_image()),
    )?;
    let mut interrupted = Process::start(&["build", path, "-t", &versioned], &laptop.env(), &log)?;
    until("the step runs", Duration::from_secs(60), async || interrupted.log().contains("\nup\n")).await?;
    interrupted.signal("INT")?;
    assert_eq!(interrupted.ended(Duration::from_secs(60)).await?.code(), Some(130), "{}", interrupted.log());
    Ok(())
}
