//! What a job prints, from its container to whoever reads it: every byte, and no secret.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcaops_common::domain::log::{LogLine, LogStream};
use orcaops_tests::client::{Client, shell};
use orcaops_tests::docker::test_image;
use orcaops_tests::fleet::Fleet;
use orcaops_tests::laptop::{Laptop, exits, text};
use orcaops_tests::wait::until;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const TEXT: &str = "text/plain";
const NDJSON: &str = "application/x-ndjson";

/// A job's log so far, as JSON.
async fn lines(client: &Client, job: &str, query: &str) -> Result<Vec<LogLine>> {
    let body = client.get_as(&format!("/orcaops/jobs/{job}/logs{query}"), NDJSON).await?;
    let lines = body.split_inclusive(|b| *b == b'\n').map(|line| Ok(serde_json::from_slice(line)?));
    lines.collect()
}

/// A job's log so far, as text.
async fn bytes(client: &Client, job: &str, query: &str) -> Result<Vec<u8>> {
    client.get_as(&format!("/orcaops/jobs/{job}/logs{query}"), TEXT).await
}

fn of(lines: &[LogLine], stream: LogStream) -> Vec<u8> {
    lines.iter().filter(|line| line.stream == stream).flat_map(LogLine::content).collect()
}

/// All that its stream says, put together.
async fn streamed(client: &Client, job: &str) -> Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    let each = |name: &str, data: &str| {
        if name == "done" {
            return Ok(true);
        }
        let mut line: Value = serde_json::from_str(data)?;
        line["id"] = json!("");
        lines.push(serde_json::from_value(line)?);
        Ok(false)
    };
    client.each_log_event(job, each).await?;
    Ok(lines)
}

/// Fails without printing megabytes.
fn same(what: &str, found: &[u8], expected: &[u8]) -> Result<()> {
    let first = found.iter().zip(expected).position(|(a, b)| a != b);
    ensure!(found == expected, "{what}: {} bytes, not {}, first {first:?}", found.len(), expected.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_that_a_job_prints_comes_out_again() -> Result<()> {
    let laptop = Laptop::new().await?;
    let image = test_image();
    let odd = r"printf 'a\r\n\rb\377\376\000\n\033[31mred\033[0m 10%%\r20%%\n\n\303'";
    let long = "head -c 10000000 /dev/zero | tr '\\0' x; echo; printf 'no end'";
    let noise = "head -c 3000000 /dev/urandom > noise; sha256sum < noise >&2; cat noise";
    let out = b"a\r\n\rb\xff\xfe\0\n\x1b[31mred\x1b[0m 10%\r20%\n\n\xc3";

    let run = laptop.orcaops(&["run", &image, "--id", "odd", "-f", "--", &format!("{odd}; {odd} >&2")])?;
    exits(&run, 0)?;
    same("run -f", &run.stdout, out)?;
    // Before and behind it are words of OrcaOps, which stand on lines of their own.
    ensure!(run.stderr.windows(out.len() + 9).any(|w| w == [out, &b"\norcaops:"[..]].concat()), "{run:?}");
    let logs = laptop.orcaops(&["jobs", "logs", "odd"])?;
    exits(&logs, 0)?;
    same("jobs logs", &logs.stdout, out)?;
    same("jobs logs", &logs.stderr, out)?;
    let run = laptop.orcaops(&["run", &image, "--id", "noise", "-f", "--", noise])?;
    exits(&run, 0)?;
    let digest = hex(&run.stdout);
    ensure!(text(&run.stderr).contains(&digest), "{digest} is not in {}", text(&run.stderr));

    let _dev = laptop.dev("1").await?;
    let job = laptop.client.submit(&shell(&[odd, long, noise])).await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!((&record["steps"][1]["stdout_bytes"], &record["notes"]), (&json!(10_000_007), &json!([])));
    let expected = [&out[..], &[b'x'; 10_000_000], b"\nno end"].concat();
    for (what, lines) in [
        ("a stream", streamed(&laptop.client, &job).await?),
        ("lines", lines(&laptop.client, &job, "").await?),
    ] {
        assert!(lines.iter().all(|line| line.content().len() <= (64 << 10) + 1), "lines are bounded");
        let all = of(&lines, LogStream::Stdout);
        same(what, &all[..expected.len()], &expected)?;
        assert!(text(&of(&lines, LogStream::Stderr)).starts_with(&hex(&all[expected.len()..])), "{what}");
        same("text", &bytes(&laptop.client, &job, "?stream=stdout").await?, &all)?;
    }
    same("one step", &bytes(&laptop.client, &job, "?step=0").await?, out)?;
    let logs = laptop.orcaops(&["jobs", "logs", &job, "-f", "--step", "0", "--step", "1"])?;
    exits(&logs, 0)?;
    same("jobs logs -f", &logs.stdout, &expected)?;
    laptop.containers.all_gone().await
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_chosen_by_step_and_stream() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let commands = ["echo a; echo b >&2", "echo c; echo d >&2; echo e", "echo f"];
    let job = laptop.client.submit(&shell(&commands)).await?;
    laptop.client.ended(&job).await?;
    assert_eq!(text(&bytes(&laptop.client, &job, "?step=1&stream=stdout").await?), "c\ne\n");
    assert_eq!(text(&bytes(&laptop.client, &job, "?stream=stderr").await?), "b\nd\n");
    assert_eq!(text(&bytes(&laptop.client, &job, "?stream=stdout&tail=2").await?), "e\nf\n");
    let chosen = lines(&laptop.client, &job, "?step=0&step=2").await?;
    let chosen: Vec<_> = chosen.iter().map(|line| (line.step, line.line.as_str())).collect();
    assert_eq!(chosen.len(), 3);
    assert!(chosen.contains(&(Some(0), "a")) && chosen.contains(&(Some(2), "f")), "{chosen:?}");

    let logs = |args: &[&str]| -> Result<_> {
        let output = laptop.orcaops(&[&["jobs", "logs", &job], args].concat())?;
        exits(&output, 0)?;
        Ok((text(&output.stdout), text(&output.stderr)))
    };
    for follow in [&[][..], &["-f"]] {
        let logs = |args: &[&str]| logs(&[args, follow].concat());
        assert_eq!(logs(&["--step", "1"])?, ("c\ne\n".to_owned(), "d\n".to_owned()), "{follow:?}");
        assert_eq!(logs(&["--stream", "stdout", "-n", "1"])?, ("f\n".to_owned(), String::new()));
        let (json, _) = logs(&["--json", "--step", "2"])?;
        let line: Value = serde_json::from_str(&json)?;
        assert_eq!((&line["line"], &line["step"]), (&json!("f"), &json!(2)));
    }
    let wrong = laptop.orcaops(&["jobs", "logs", "no-such-job"])?;
    exits(&wrong, 125)?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_gets_into_log_or_record() -> Result<()> {
    const TOKEN: &str = "hunter22-is-secret";
    const KEY: &str = "-----BEGIN-----\nbase64base64\n}\n-----END-----\n";
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let mut spec = shell(&[
        // Cut in the middle, on both streams at once, and in the hands of a process that outlives its step.
        "printf 'one hunter22'; sleep 0.3; printf -- '-is-sec'; echo hunter22 >&2; sleep 0.3; printf 'ret two\n'; \
         echo $TOKEN$TOKEN >&2; (while [ ! -e go ]; do sleep 0.1; done; echo background $TOKEN) &",
        "touch go; echo \"$KEY\"; echo \"$KEY\" | sed -n 2p; printf hunter22-is-secre; wait; sleep 0.5",
        "echo hunter22-is-secret > secret.txt; echo $OWN; echo ': hunter22-is-secret'; exit 3",
    ]);
    spec["sandbox"]["env"] = json!({ "TOKEN": TOKEN, "KEY": KEY, "PUBLIC": "nothing special" });
    spec["commands"][2]["env"] = json!({ "OWN": "only-of-step-3" });
    spec["commands"][2]["continue_on_error"] = json!(true);
    spec["commands"][2]["name"] = json!("with hunter22-is-secret");
    let own = json!({ "argv": ["/no/such/hunter22-is-secret", "hunter22-is-secret's"] });
    spec["commands"].as_array_mut().context("commands")?.push(own);
    spec["secrets"] = json!(["TOKEN", "KEY", "OWN"]);
    spec["artifacts"] = json!(["/secret.txt", "/none-hunter22-is-secret"]);
    let job = laptop.client.submit(&spec).await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!(record["status"], "failed", "{record:#}");

    let steps = &record["steps"];
    assert_eq!(steps[0]["stdout"], "one *** two\n", "{record:#}");
    assert_eq!(steps[0]["stderr"], "hunter22\n******\n");
    assert_eq!(steps[1]["stdout"], "***\n\n***\nhunter22-is-secre", "what is no secret in the end is shown");
    assert_eq!((&steps[2]["stdout"], &steps[2]["name"]), (&json!("***\n: ***\n"), &json!("with ***")));
    assert_eq!(steps[3]["command"], "'/no/such/***' '***'\\''s'");
    assert!(steps[3]["stderr"].as_str().is_some_and(|e| e.contains("/no/such/***")), "{record:#}");
    let all = lines(&laptop.client, &job, "").await?;
    let background: Vec<_> =
        all.iter().filter(|l| l.step.is_none() && l.stream == LogStream::Stdout).collect();
    assert_eq!(background.len(), 1, "{all:?}");
    assert_eq!(background[0].line, "background ***");
    let shown = format!("{record}{all:?}{}", text(&bytes(&laptop.client, &job, "").await?));
    for hidden in [TOKEN, "base64base64", "-----BEGIN", "only-of-step-3"] {
        assert!(!shown.contains(hidden), "{hidden} shows in {shown}");
    }
    let (_, artifact) = laptop.client.bytes(&format!("/orcaops/jobs/{job}/artifacts/secret.txt")).await?;
    assert_eq!(text(&artifact), format!("{TOKEN}\n"), "artifacts are the job's own");
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_over_its_limit_is_cut_with_a_mark_and_the_job_goes_on() -> Result<()> {
    let laptop = Laptop::new().await?;
    let mut dev = laptop.dev_with(&["--slots", "1", "--max-log-bytes", "64k"]).await?;
    let job = laptop.client.submit(&shell(&["head -c 1000000 /dev/zero | tr '\\0' x", "echo after"])).await?;
    let record = laptop.client.ended(&job).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(record["steps"][0]["stdout_bytes"], 1_000_000);
    assert_eq!(record["steps"][1]["stdout"], "after\n", "the record has what the log has not");
    let left = 1_000_000 + 6 - 65_536;
    let note = format!("the log is cut: it is limited to 65536 bytes, and {left} more were not kept");
    assert_eq!(record["notes"], json!([note]));
    let log = lines(&laptop.client, &job, "").await?;
    same("the log", &of(&log, LogStream::Stdout), &[b'x'; 65_536])?;
    let own = text(&of(&log, LogStream::System));
    let marks = format!(
        "the log is cut here: it is limited to 65536 bytes\n{left} more bytes of output were not kept\n"
    );
    assert!(own.ends_with(&marks), "{own}");
    dev.kill()?;

    // The same limit for one job without a server, which a server would set for itself.
    let image = test_image();
    let run = ["run", &image, "-f", "--max-log-bytes", "2k", "--", "head -c 5000 /dev/zero | tr '\\0' x"];
    let run = laptop.orcaops(&run)?;
    exits(&run, 0)?;
    same("run", &run.stdout, &[b'x'; 2048])?;
    let elsewhere = ["run", "--server", "http://127.0.0.1:9", "--max-log-bytes", "2k", &image, "true"];
    exits(&laptop.orcaops(&elsewhere)?, 125)?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_does_not_slow_the_job() -> Result<()> {
    const BYTES: usize = 50 << 20;
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let job = laptop.client.submit(&shell(&[&format!("yes 0123456789abcde | head -c {BYTES}")])).await?;
    let mut slow = Vec::new();
    for path in ["logs/stream", "logs/stream?stream=stdout"] {
        let mut connection = TcpStream::connect(laptop.address()).await?;
        let request = format!("GET /orcaops/jobs/{job}/{path} HTTP/1.1\r\nhost: laptop\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        slow.push(connection);
    }
    let record = laptop.client.ended(&job).await?;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(record["steps"][0]["stdout_bytes"], BYTES);
    let log = bytes(&laptop.client, &job, "").await?;
    same("the log", &log, &b"0123456789abcde\n".repeat(BYTES / 16))?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleets_log_is_the_same_while_it_runs_and_once_it_was_copied() -> Result<()> {
    let fleet = Fleet::start().await?;
    let _worker = fleet.worker("one", 1)?;
    let command = r"printf 'a\377\r\n'; head -c 200000 /dev/zero | tr '\0' x; echo; printf 'TOKEN: %s\n> ' $TOKEN; sleep 600";
    let mut spec = shell(&[command]);
    spec["sandbox"]["env"] = json!({ "TOKEN": "hunter22" });
    spec["secrets"] = json!(["TOKEN"]);
    let job = fleet.client.submit(&spec).await?;
    let expected = [b"a\xff\r\n", &[b'x'; 200_000][..], b"\nTOKEN: ***\n> "].concat();
    until("the job has printed", Duration::from_secs(60), async || {
        bytes(&fleet.client, &job, "").await.is_ok_and(|log| log.len() >= expected.len())
    })
    .await?;
    assert_eq!(fleet.client.record(&job).await?["status"], "running");
    same("while it runs", &bytes(&fleet.client, &job, "").await?, &expected)?;
    let running = lines(&fleet.client, &job, "?stream=stdout").await?;
    fleet.client.cancel(&job).await?;
    fleet.client.ended(&job).await?;
    let copy = fleet.artifacts().join(&job).join("logs/log.jsonl");
    until("the log is copied", Duration::from_secs(60), async || copy.is_file()).await?;
    same("its copy", &bytes(&fleet.client, &job, "").await?, &expected)?;
    let copied = lines(&fleet.client, &job, "?stream=stdout").await?;
    let (last, whole) = copied.split_last().context("no line")?;
    assert_eq!(&running[..running.len() - 1], whole, "lines that were whole keep their ids");
    assert_eq!((last.line.as_str(), last.partial), ("> ", true));
    same("its stream", &of(&streamed(&fleet.client, &job).await?, LogStream::Stdout), &expected)?;
    fleet.containers.all_gone().await
}
