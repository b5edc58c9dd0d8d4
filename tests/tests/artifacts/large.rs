//! Many files, and a large one: memory stays flat, and every byte arrives.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use orcaops_tests::fleet::Fleet;
use orcaops_tests::wait::until;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::rules::keeping;

const GIB: u64 = 1 << 30;
/// How many files hold the first gibibyte.
const FILES: u64 = 10_000;
/// How long a job and its files may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(900);
/// How much more memory a process may use than when it was idle, in KiB.
const GROWTH: u64 = 64 * 1024;

fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Runs a job that leaves `files` in /work/files, with their hashes in /work/sums, and compares what arrived in the
/// layout with them.
async fn arrives(command: &str, files: u64, bytes: u64) -> Result<()> {
    let fleet = Fleet::start().await?;
    let worker = fleet.worker("worker", 1)?;
    // Warm both up, so that what is compared is a running state.
    fleet.client.run(&keeping("mkdir files; echo x > files/x", &["files"])).await?;
    let before = (worker.memory()?.0, fleet.api.memory()?.0);

    let hashes = format!("mkdir files; cd files; {command}; sha256sum * > ../sums");
    let mut spec = keeping(&hashes, &["files", "sums"]);
    spec["commands"][0]["timeout_seconds"] = json!(PATIENCE.as_secs());
    let job = fleet.client.submit(&spec).await?;
    let folder = fleet.artifacts().join(&job);
    let mut ran: Option<Instant> = None;
    until("the job's files are in the layout", PATIENCE, async || {
        let run = std::fs::read(folder.join("run.json")).unwrap_or_default();
        let run: Value = serde_json::from_slice(&run).unwrap_or_default();
        if ran.is_none() && !run.is_null() {
            ran = Some(Instant::now());
        }
        !run["finished_at"].is_null()
    })
    .await?;
    let after = (worker.memory()?.1, fleet.api.memory()?.1);
    let seconds = ran.map_or(0.0, |ran| ran.elapsed().as_secs_f64());
    println!("in the layout {seconds:.1} s after its step was");
    println!("worker: {} KiB before, {} KiB at its highest", before.0, after.0);
    println!("api: {} KiB before, {} KiB at its highest", before.1, after.1);

    let record = fleet.client.record(&job).await?;
    let shown = json!([record["status"], record["error"], record["notes"]]);
    ensure!(record["status"] == "success", "{shown}");
    let artifacts = record["artifacts"].as_array().context("no artifacts")?;
    let recorded: BTreeMap<&str, &str> =
        artifacts.iter().filter_map(|a| Some((a["path"].as_str()?, a["sha256"].as_str()?))).collect();
    let sums = std::fs::read_to_string(folder.join("sums"))?;
    let inside: BTreeMap<String, &str> = sums
        .lines()
        .filter_map(|l| l.split_once("  "))
        .map(|(sum, name)| (format!("files/{name}"), sum))
        .collect();
    assert_eq!((inside.len() as u64, recorded.len() as u64), (files, files + 1));
    let mut total = 0;
    for (path, sum) in &inside {
        assert_eq!(recorded.get(path.as_str()), Some(sum), "{path}: recorded, and computed inside the job");
        total += std::fs::metadata(folder.join(path))?.len();
        assert_eq!(sha256(&folder.join(path))?, *sum, "{path} in the layout");
    }
    assert_eq!(total, bytes);
    assert!(after.0 < before.0 + GROWTH && after.1 < before.1 + GROWTH, "memory grew with the artifacts");
    fleet.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_in_ten_thousand_files_arrives_with_memory_flat() -> Result<()> {
    let size = GIB.div_ceil(FILES);
    let command =
        format!("i=0; while [ $i -lt {FILES} ]; do head -c {size} > f$i; i=$((i+1)); done < /dev/urandom");
    arrives(&command, FILES, FILES * size).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gibibytes_in_one_file_arrive_with_memory_flat() -> Result<()> {
    let bytes = 2 * GIB;
    arrives(&format!("head -c {bytes} /dev/urandom > file"), 1, bytes).await
}
