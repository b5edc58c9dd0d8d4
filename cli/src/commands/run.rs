//! `orcaops run`: one job, from its arguments to its exit code.

use std::path::Path;

use orcaops_common::domain::id::JobId;
use orcaops_common::domain::job::JobSpec;

use super::job::{Wishes, refuse_detached_without_server, see_to_its_end};
use crate::args::RunArgs;
use crate::client::Client;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{measure, words};
use crate::session::{Need, Session};
use crate::settings::Settings;
use crate::spec;
use crate::upload::{PackError, Packed, pack};

pub(super) async fn run(args: RunArgs, settings: &Settings) -> Result<u8, Failure> {
    refuse_detached_without_server(args.detach, settings)?;
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
    let ended = upload_and_submit(&session.client, &args, &job, spec, packed, &mut interrupt).await;
    session.close(Some(&job)).await;
    ended
}

async fn upload_and_submit(
    client: &Client,
    args: &RunArgs,
    job: &JobId,
    mut spec: JobSpec,
    packed: Option<Packed>,
    interrupt: &mut Option<Interrupt>,
) -> Result<u8, Failure> {
    if let Some(packed) = packed {
        words::say(&format!("uploading {}, {}", measure::files(packed.files), measure::bytes(packed.bytes)));
        spec::add_upload(&mut spec, client.upload(&packed.tar).await?);
    }
    let wishes =
        Wishes { follow: args.follow, json: args.json, detach: args.detach, download: args.download.clone() };
    see_to_its_end(client, job, &wishes, async || client.submit(&spec).await, interrupt).await
}

async fn pack_folder(folder: &Path) -> Result<Packed, Failure> {
    let folder = folder.to_owned();
    let packing = tokio::task::spawn_blocking(move || pack(&folder));
    let packed = packing.await.map_err(|e| PackError::Write { cause: std::io::Error::other(e) })?;
    Ok(packed?)
}
