//! `orcaops run`: one job, from its arguments to its exit code.

use std::path::Path;

use chrono::Utc;
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::job::JobSpec;
use orcaops_common::domain::run::RunRecord;

use super::watch;
use crate::args::RunArgs;
use crate::client::{Client, place};
use crate::exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::log::LogPrinter;
use crate::output::style::Style;
use crate::output::{measure, print, print_json, summary, words};
use crate::session::{Need, Session};
use crate::settings::Settings;
use crate::spec;
use crate::upload::{PackError, Packed, pack};

pub(super) async fn run(args: RunArgs, settings: &Settings) -> Result<u8, Failure> {
    if args.detach && settings.layer().url.is_none() {
        let text = "--detach needs a server that goes on with the job: name one with --server or ORCAOPS_URL";
        return Err(Failure::Usage(text.to_owned()));
    }
    if !args.policy.is_empty() && settings.layer().url.is_some() {
        let text = "what jobs may ask of their host is said to the worker that runs them; leave out those options \
                    here, or the server";
        return Err(Failure::Usage(text.to_owned()));
    }
    if args.log.is_set() && settings.layer().url.is_some() {
        let text =
            "--max-log-bytes is for jobs that run here; on a server its workers are told how much to keep";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut spec = spec::of(&args, |name| std::env::var(name).ok())?;
    let job = spec.job_id.get_or_insert_with(JobId::generate).clone();
    let packed = match &args.upload {
        Some(folder) => Some(pack_folder(folder).await?),
        None => None,
    };
    let session = Session::open(settings, Need::Running(spec.pool.clone())).await?;
    // Listens to the end of it all, so that a signal is heard while what was started is stopped, too.
    let mut interrupt = None;
    let ended = submit_and_watch(&session.client, &args, spec, packed, &mut interrupt).await;
    session.close(Some(&job)).await;
    ended
}

async fn submit_and_watch(
    client: &Client,
    args: &RunArgs,
    mut spec: JobSpec,
    packed: Option<Packed>,
    interrupt: &mut Option<Interrupt>,
) -> Result<u8, Failure> {
    let job = &spec.job_id.get_or_insert_with(JobId::generate).clone();
    if let Some(packed) = packed {
        words::say(&format!("uploading {} files, {}", packed.files, measure::bytes(packed.bytes)));
        spec::add_upload(&mut spec, client.upload(&packed.tar).await?);
    }
    if args.detach {
        let answer = client.submit(&spec).await?;
        if args.json {
            print_json(&answer.json)?
        } else {
            print(&format!("{}\n", answer.is.job_id))?
        }
        return Ok(exit::SUCCESS);
    }
    let interrupt = interrupt.insert(Interrupt::arm(client.clone(), job.clone())?);
    client.submit(&spec).await?;
    words::say(&format!("job {job}"));
    let record = {
        let _waiting = watch::say_why_it_waits(client, job);
        if args.follow {
            let printer = if args.json { LogPrinter::beside() } else { LogPrinter::new() };
            watch::follow(client, job, printer).await?;
        }
        watch::end_of(client, job).await?
    };
    interrupt.job_has_ended();
    if args.json {
        print_json(&record.json["record"])?;
    }
    let record = record.is.record;
    report(&record, args)?;
    if let Some(folder) = &args.download {
        download(client, &record, folder).await?;
    }
    Ok(exit::of(&record))
}

/// Says how it ended: briefly beside a log that was followed or a record that was printed, else at length.
fn report(record: &RunRecord, args: &RunArgs) -> Result<(), Failure> {
    let brief = args.follow || args.json;
    if !brief {
        print(&summary::of(record, Utc::now(), Style::stdout()))?;
        if let Some(tail) = summary::tail(record) {
            print(&tail)?;
        }
    }
    if brief || exit::of(record) != exit::SUCCESS {
        words::say(&summary::sentence(record, Style::stderr()));
    }
    Ok(())
}

async fn download(client: &Client, record: &RunRecord, folder: &Path) -> Result<(), Failure> {
    for artifact in &record.artifacts {
        let target = place(folder, &artifact.path)?;
        client.download(record.job_id.as_str(), artifact, &target).await?;
        words::say(&format!("fetched {}", target.display()));
    }
    Ok(())
}

async fn pack_folder(folder: &Path) -> Result<Packed, Failure> {
    let folder = folder.to_owned();
    let packing = tokio::task::spawn_blocking(move || pack(&folder));
    let packed = packing.await.map_err(|e| PackError::Write { cause: std::io::Error::other(e) })?;
    Ok(packed?)
}
