//! Submitting one job and seeing it to its end, for every command that makes one.

use std::path::{Path, PathBuf};

use chrono::Utc;
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::run::RunRecord;

use super::watch;
use crate::client::{Client, ClientError, JobSubmit, Raw, place};
use crate::exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::log::LogPrinter;
use crate::output::style::Style;
use crate::output::{print, print_json, summary, words};
use crate::settings::Settings;

/// What the user wants to see of a job.
pub(super) struct Wishes {
    /// Its output, live.
    pub(super) follow: bool,
    /// Its record, as JSON.
    pub(super) json: bool,
    /// Nothing but its id.
    pub(super) detach: bool,
    /// Its artifacts, in this folder.
    pub(super) download: Option<PathBuf>,
}

/// A job that nobody waits for needs somebody who goes on with it.
pub(super) fn refuse_detached_without_server(detach: bool, settings: &Settings) -> Result<(), Failure> {
    if detach && settings.layer().url.is_none() {
        let text = "--detach needs a server that goes on with the job: name one with --server or ORCAOPS_URL";
        return Err(Failure::Usage(text.to_owned()));
    }
    Ok(())
}

/// Submits a job and sees it to its end; the exit code that it hands on. From then on a signal is heard by
/// `interrupt`.
pub(super) async fn see_to_its_end(
    client: &Client,
    job: &JobId,
    wishes: &Wishes,
    submit: impl AsyncFnOnce() -> Result<Raw<JobSubmit>, ClientError>,
    interrupt: &mut Option<Interrupt>,
) -> Result<u8, Failure> {
    if wishes.detach {
        let answer = submit().await?;
        if wishes.json {
            print_json(&answer.json)?
        } else {
            print(&format!("{}\n", answer.is.job_id))?
        }
        return Ok(exit::SUCCESS);
    }
    let interrupt = interrupt.insert(Interrupt::arm(client.clone(), job.clone())?);
    submit().await?;
    words::say(&format!("job {job}"));
    let record = {
        let _waiting = watch::say_why_it_waits(client, job);
        if wishes.follow {
            let printer = if wishes.json { LogPrinter::beside() } else { LogPrinter::new() };
            watch::follow(client, job, printer).await?;
        }
        watch::end_of(client, job).await?
    };
    interrupt.job_has_ended();
    if wishes.json {
        print_json(&record.json["record"])?;
    }
    let record = record.is.record;
    report(&record, wishes)?;
    if let Some(folder) = &wishes.download {
        download(client, &record, folder).await?;
    }
    Ok(exit::of(&record))
}

/// Says how it ended: briefly beside a log that was followed or a record that was printed, else at length.
fn report(record: &RunRecord, wishes: &Wishes) -> Result<(), Failure> {
    let brief = wishes.follow || wishes.json;
    if !brief {
        print(&summary::of(record, Utc::now(), Style::stdout()))?;
        if let Some(tail) = summary::tail(record) {
            print(&tail)?;
        }
    }
    if let Some(image) = record.built_image.as_ref().filter(|_| brief) {
        words::say(&format!("built {}", summary::built(image)));
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
