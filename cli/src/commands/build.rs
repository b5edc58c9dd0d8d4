//! `orcaops build`: an image, from a folder to its id.

use orcaops_common::domain::build::BuildRequest;
use orcaops_common::domain::id::{JobId, PoolName};

use super::job::{Wishes, refuse_detached_without_server, see_to_its_end};
use crate::args::{BuildArgs, build_flag};
use crate::client::Client;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{measure, words};
use crate::session::{Need, Session};
use crate::settings::Settings;
use crate::upload::{PackError, Packed, pack_context};

pub(super) async fn run(args: BuildArgs, settings: &Settings) -> Result<u8, Failure> {
    refuse_detached_without_server(args.detach, settings)?;
    let job = args.id.clone().unwrap_or_else(JobId::generate);
    let request = BuildRequest { job_id: Some(job.to_string()), ..args.request() };
    let pool = check(&request)?;
    let packed = pack_folder(&args, &request).await?;
    let session = Session::open(settings, Need::Running(pool)).await?;
    let mut interrupt = None;
    let ended = send_and_watch(&session.client, &args, &job, &request, &packed, &mut interrupt).await;
    session.close(Some(&job)).await;
    ended
}

/// Everything that is wrong is said here, by flag, before a folder is packed for it.
fn check(request: &BuildRequest) -> Result<PoolName, Failure> {
    match request.job("") {
        Ok(spec) => Ok(spec.pool),
        Err(errors) => {
            let lines: String =
                errors.iter().map(|e| format!("\n  {}: {}", build_flag(e.parameter), e.message)).collect();
            Err(Failure::Usage(format!("the build is not valid{lines}")))
        }
    }
}

async fn pack_folder(args: &BuildArgs, request: &BuildRequest) -> Result<Packed, Failure> {
    let (folder, dockerfile) = (args.folder.clone(), request.dockerfile().to_owned());
    let packing = tokio::task::spawn_blocking(move || pack_context(&folder, &dockerfile));
    let packed = packing.await.map_err(|e| PackError::Write { cause: std::io::Error::other(e) })?;
    Ok(packed?)
}

async fn send_and_watch(
    client: &Client,
    args: &BuildArgs,
    job: &JobId,
    request: &BuildRequest,
    packed: &Packed,
    interrupt: &mut Option<Interrupt>,
) -> Result<u8, Failure> {
    words::say(&format!("sending {}, {}", measure::files(packed.files), measure::bytes(packed.bytes)));
    let wishes = Wishes { follow: true, json: args.json, detach: args.detach, download: None };
    let submit = async || client.build(request, &packed.tar).await;
    see_to_its_end(client, job, &wishes, submit, interrupt).await
}
