//! What a job may ask of its host, in real containers: a row for each thing that it may ask for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcaops_tests::client::shell;
use orcaops_tests::docker::test_image;
use orcaops_tests::laptop::{Laptop, exits, text};
use orcaops_tests::process::free_port;
use orcaops_tests::wait::until;
use serde_json::{Value, json};

/// A job of those commands with other members beside.
fn spec(commands: &[&str], members: &Value) -> Value {
    let mut spec = shell(commands);
    for (name, value) in members.as_object().into_iter().flatten() {
        spec[name] = value.clone();
    }
    spec
}

/// A spec that can't be honoured fails at once, in its first attempt, with the field and the way out in its error.
async fn refused(laptop: &Laptop, spec: &Value, cause: &str, words: &[&str]) -> Result<()> {
    let record = laptop.client.run(spec).await?;
    assert_eq!((&record["status"], &record["end_cause"]), (&json!("failed"), &json!(cause)), "{record:#}");
    assert_eq!(record["attempt"], 1, "nothing gets better by trying again: {record:#}");
    let error = record["error"].as_str().unwrap_or_default();
    for word in words {
        ensure!(error.contains(word), "{word:?} is not in {error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_not_allowed_is_refused_with_the_setting_that_would_allow_it() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev_with(&["--allow-ports", "false"]).await?;
    let rows = [
        (
            json!({ "volumes": [{ "source": "/srv", "target": "/data" }] }),
            ["/volumes/0/source", "ORCAOPS_ALLOW_VOLUMES"],
        ),
        (json!({ "network": "bridge" }), ["/network", "ORCAOPS_ALLOW_NETWORKS"]),
        (json!({ "ports": { "80/tcp": 8080 } }), ["/ports", "ORCAOPS_ALLOW_PORTS"]),
        (json!({ "registry_auth": "corp" }), ["/registry_auth", "ORCAOPS_CREDENTIALS"]),
    ];
    for (members, words) in rows {
        refused(&laptop, &spec(&["true"], &members), "policy", &words).await?;
    }
    let everything = json!({ "network": "bridge", "ports": { "80/tcp": 8080 } });
    let words = ["/network", "ORCAOPS_ALLOW_NETWORKS", "/ports", "ORCAOPS_ALLOW_PORTS"];
    refused(&laptop, &spec(&["true"], &everything), "policy", &words).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_server_asks_for_the_setting_too_and_takes_it_as_a_flag() -> Result<()> {
    let laptop = Laptop::new().await?;
    let folder = tempfile::tempdir()?;
    let source = folder.path().to_str().context("path")?;
    let image = test_image();
    let volume = format!("{source}:/data");
    let run = ["run", &image, "-f", "-v", &volume, "--", "echo in > /data/file"];
    let refused = laptop.orcaops(&run)?;
    exits(&refused, 125)?;
    assert!(text(&refused.stderr).contains("--allow-volumes"), "{}", text(&refused.stderr));
    let allowed = laptop.orcaops(&[&["run", "--allow-volumes", source], &run[1..]].concat())?;
    exits(&allowed, 0)?;
    assert_eq!(std::fs::read_to_string(folder.path().join("file"))?, "in\n");
    let elsewhere = [&["run", "--server", "http://127.0.0.1:1", "--allow-ports", "true"], &run[1..]].concat();
    let elsewhere = laptop.orcaops(&elsewhere)?;
    exits(&elsewhere, 125)?;
    assert!(text(&elsewhere.stderr).contains("said to the worker"), "{}", text(&elsewhere.stderr));
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_of_the_host_are_mounted_as_they_are_and_never_made() -> Result<()> {
    let laptop = Laptop::new().await?;
    let folder = tempfile::tempdir()?;
    let source = folder.path().to_str().context("path")?;
    std::fs::create_dir(folder.path().join("in"))?;
    std::fs::create_dir(folder.path().join("out"))?;
    std::fs::write(folder.path().join("in/file"), "content\n")?;
    let _dev = laptop.dev_with(&["--allow-volumes", source]).await?;
    let volumes = json!({ "volumes": [
        { "source": format!("{source}/in"), "target": "/in", "read_only": true },
        { "source": format!("{source}/out"), "target": "/out" },
    ]});
    let copies = spec(&["cp /in/file /out/copy", "touch /in/new; test ! -e /in/new"], &volumes);
    let record = laptop.client.run(&copies).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(std::fs::read_to_string(folder.path().join("out/copy"))?, "content\n");
    assert!(!folder.path().join("in/new").exists(), "it was mounted for reading only");

    let missing = json!({ "volumes": [
        { "source": format!("{source}/in"), "target": "/in" },
        { "source": format!("{source}/none"), "target": "/none" },
    ]});
    let words = ["/volumes/1/source", "no such folder"];
    refused(&laptop, &spec(&["true"], &missing), "engine", &words).await?;
    assert!(!folder.path().join("none").exists(), "no folder is made on the host");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_isolated_none_or_one_that_the_operator_allows() -> Result<()> {
    let laptop = Laptop::new().await?;
    let network = laptop.containers.network().await?;
    let allowed = format!("{network},{network}-missing");
    let _dev = laptop.dev_with(&["--allow-networks", &allowed]).await?;

    let none = laptop.client.run(&spec(&["ls /sys/class/net"], &json!({ "network": "none" }))).await?;
    assert_eq!(none["steps"][0]["stdout"], "lo\n", "{none:#}");

    for (name, attached) in [("default", "orcaops-jobs"), (network.as_str(), network.as_str())] {
        let job = laptop.client.submit(&spec(&["sleep 600"], &json!({ "network": name }))).await?;
        let record = laptop.client.running(&job).await?;
        let id = record["sandbox_id"].as_str().context("no container")?.to_owned();
        let networks = laptop.containers.inspect(&id).await?.network_settings.and_then(|n| n.networks);
        let networks: Vec<String> = networks.unwrap_or_default().into_keys().collect();
        assert_eq!(networks, [attached]);
        laptop.client.cancel(&job).await?;
        laptop.client.ended(&job).await?;
    }
    let missing = spec(&["true"], &json!({ "network": format!("{network}-missing") }));
    refused(&laptop, &missing, "engine", &["/network", "docker network create"]).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_port_leads_to_the_job_from_this_machine_alone() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let port = free_port()?;
    let serves = spec(
        &["mkdir /www; echo hello > /www/index.html; httpd -f -p 80 -h /www"],
        &json!({ "ports": { "80/tcp": port } }),
    );
    let job = laptop.client.submit(&serves).await?;
    let record = laptop.client.running(&job).await?;
    let page = reqwest::Client::new();
    until("the job's page is served", Duration::from_secs(30), async || {
        let answer = page.get(format!("http://127.0.0.1:{port}/index.html")).send().await;
        match answer {
            Ok(answer) => answer.text().await.is_ok_and(|text| text == "hello\n"),
            Err(_) => false,
        }
    })
    .await?;
    let id = record["sandbox_id"].as_str().context("no container")?;
    let host = laptop.containers.inspect(id).await?.host_config.context("no host config")?;
    let bindings = host.port_bindings.unwrap_or_default();
    let binding = bindings.get("80/tcp").cloned().flatten().context("no binding")?;
    assert_eq!(binding[0].host_ip.as_deref(), Some("127.0.0.1"));

    // One that is in use may be free later: that is no fault of the spec.
    let mut again = serves.clone();
    again["retry"] = json!({ "max_attempts": 1 });
    let again = laptop.client.run(&again).await?;
    assert_eq!((&again["status"], &again["end_cause"]), (&json!("failed"), &json!("engine")), "{again:#}");
    assert!(again["error"].as_str().is_some_and(|e| e.contains("/ports")), "{again:#}");
    laptop.client.cancel(&job).await?;
    laptop.client.ended(&job).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_in_memory_have_their_size_and_labels_are_set_beside_orcaops_own() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let members = json!({
        "tmpfs": [{ "path": "/scratch", "size": "1m" }, { "path": "/more" }],
        "labels": { "team": "blue", "x.y/z": "" },
    });
    let fits =
        "dd if=/dev/zero of=/scratch/a bs=1k count=900 && cp /bin/busybox /more/echo && /more/echo run";
    let job = spec(&[fits, "! dd if=/dev/zero of=/scratch/b bs=1k count=900", "sleep 600"], &members);
    let job = laptop.client.submit(&job).await?;
    let two_done = |r: &Value| r["steps"].as_array().is_some_and(|s| s.len() == 2) || r["status"] == "failed";
    let record = laptop.client.record_that(&job, "has done two steps", two_done).await?;
    assert_eq!(record["status"], "running", "{record:#}");
    assert_eq!(record["steps"][0]["stdout"], "run\n", "what lies in memory can be run: {record:#}");
    let (_, labels) = laptop.containers.list().await?.into_iter().next().context("no container")?;
    assert_eq!((labels["team"].as_str(), labels["x.y/z"].as_str()), ("blue", ""));
    assert_eq!(labels["orcaops.job_id"], job);
    laptop.client.cancel(&job).await?;
    laptop.client.ended(&job).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_lives_on_between_jobs_and_is_shared_by_those_that_run_at_once() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let cache = json!({ "cache": [{ "key": "deps", "path": "/cache" }] });
    let first = laptop.client.run(&spec(&["echo kept > /cache/file"], &cache)).await?;
    assert_eq!(first["status"], "success", "{first:#}");
    laptop.containers.all_gone().await?;

    let waits = "cat /cache/file; touch /cache/$ME; until [ -e /cache/$OTHER ]; do sleep 0.1; done";
    let mut jobs = Vec::new();
    for (me, other) in [("a", "b"), ("b", "a")] {
        let mut both = spec(&[waits], &cache);
        both["sandbox"]["env"] = json!({ "ME": me, "OTHER": other });
        jobs.push(laptop.client.submit(&both).await?);
    }
    for job in jobs {
        let record = laptop.client.ended(&job).await?;
        assert_eq!(record["status"], "success", "{record:#}");
        assert_eq!(record["steps"][0]["stdout"], "kept\n");
    }
    let volumes = laptop.containers.volumes().await?;
    assert_eq!(volumes.len(), 1, "one volume for one key: {volumes:?}");
    let other = json!({ "cache": [{ "key": "other", "path": "/cache" }] });
    let other = laptop.client.run(&spec(&["test ! -e /cache/file"], &other)).await?;
    assert_eq!(other["status"], "success", "another key is another cache: {other:#}");
    laptop.containers.all_gone().await
}

/// Neither engine of ours can: what it says instead of doing it must reach the user as a sentence about the field.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_cannot_give_fails_the_job_at_once_with_the_field() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let rows = [
        (json!({ "disk": "1g" }), "/sandbox/resources/disk"),
        (json!({ "gpus": 8 }), "/sandbox/resources/gpus"),
        (json!({ "cpu": 1024 }), "/sandbox/resources/cpu"),
    ];
    for (resources, pointer) in rows {
        let mut greedy = shell(&["true"]);
        greedy["sandbox"]["resources"] = resources;
        refused(&laptop, &greedy, "engine", &[pointer, "pool"]).await?;
    }
    laptop.containers.all_gone().await
}
