//! Sends a job's input files into its container.

use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use orcaops_common::archive::{self, Entry};
use orcaops_common::bus::{Bus, BusError};
use orcaops_common::domain::job::{Encoding, Input, JobSpec};
use orcaops_common::domain::run::EndCause;
use orcaops_init::codec::MAX_DATA;
use orcaops_init::message::{FromInit, InputEntry, InputLink, ToInit};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::outcome::Interrupt;
use crate::engine::{Failure, Session, unexpected};
use crate::registry::StopSignal;

/// How much of an object is read at once, in bytes.
const READ_BUFFER: usize = 256 * 1024;

/// Sends all inputs and waits until they are in place.
pub(crate) async fn send(
    bus: &Arc<dyn Bus>,
    session: &mut Session,
    spec: &JobSpec,
    stop: &mut StopSignal,
) -> Result<(), Interrupt> {
    if spec.inputs.is_empty() {
        return Ok(());
    }
    let placed = async {
        for input in &spec.inputs {
            match &input.object {
                Some(object) => send_object(bus, session, input, object).await?,
                None => send_content(session, input).await?,
            }
        }
        session.send(ToInit::InputsEnd).await?;
        match session.next().await? {
            FromInit::InputsDone(done) => match done.error {
                None => Ok(()),
                Some(error) if done.disk_full => {
                    Err(Interrupt::Failed { failure: Failure::Transient(EndCause::Disk), reason: error })
                }
                Some(error) => Err(refused(error)),
            },
            other => Err(unexpected(&other).into()),
        }
    };
    tokio::select! {
        biased;
        why = stop.stopped() => Err(Interrupt::Stopped(why)),
        placed = placed => placed,
    }
}

async fn send_content(session: &mut Session, input: &Input) -> Result<(), Interrupt> {
    let content = input.content.as_deref().unwrap_or_default();
    let bytes = match input.encoding {
        Encoding::Text => content.as_bytes().to_vec(),
        Encoding::Base64 => BASE64_STANDARD
            .decode(content)
            .map_err(|e| refused(format!("input {} is not base64: {e}", input.path)))?,
    };
    let mode = if input.executable { 0o755 } else { 0o644 };
    session.send(ToInit::InputFile(InputEntry { path: input.path.clone(), mode })).await?;
    for piece in bytes.chunks(MAX_DATA) {
        session.send(ToInit::InputData(piece.to_vec())).await?;
    }
    Ok(())
}

/// Brings an uploaded tar here first: its entries can only be walked by a blocking reader, and its hash is
/// known to be right only at its end.
async fn send_object(
    bus: &Arc<dyn Bus>,
    session: &mut Session,
    input: &Input,
    object: &str,
) -> Result<(), Interrupt> {
    let file = fetch(bus, object).await?;
    let base = input.path.clone();
    let sender = session.sender();
    let walked = tokio::task::spawn_blocking(move || {
        archive::for_each(std::io::BufReader::new(file), |entry| forward(&base, entry, &sender))
    })
    .await;
    match walked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(refused(format!("input object {object}: {e}"))),
        Err(e) => Err(local(format!("cannot unpack input object {object}: {e}"))),
    }
}

async fn fetch(bus: &Arc<dyn Bus>, object: &str) -> Result<std::fs::File, Interrupt> {
    let (_, mut content) = bus.get_object(object).await.map_err(|e| match e {
        BusError::NotFound { .. } => refused(format!("input object {object} is not there; upload it again")),
        other => local(format!("cannot fetch input object {object}: {other}")),
    })?;
    let failed = |e: std::io::Error| local(format!("cannot fetch input object {object}: {e}"));
    let mut file = tempfile::tempfile().map_err(failed)?;
    let mut buffer = vec![0; READ_BUFFER];
    loop {
        let n = content.read(&mut buffer).await.map_err(failed)?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n]).map_err(failed)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}

fn forward(base: &str, entry: Entry<'_>, to: &mpsc::Sender<ToInit>) -> std::io::Result<()> {
    let place = |path: &str| if base == "." { path.to_owned() } else { format!("{base}/{path}") };
    let send = |message| {
        to.blocking_send(message).map_err(|_| std::io::Error::other("the container ended meanwhile"))
    };
    match entry {
        Entry::Directory { path, mode } => {
            send(ToInit::InputDirectory(InputEntry { path: place(&path), mode }))
        }
        Entry::Symlink { path, target } => send(ToInit::InputLink(InputLink { path: place(&path), target })),
        Entry::File { path, mode, reader, .. } => {
            send(ToInit::InputFile(InputEntry { path: place(&path), mode }))?;
            let mut buffer = vec![0; MAX_DATA];
            loop {
                let n = reader.read(&mut buffer)?;
                if n == 0 {
                    return Ok(());
                }
                send(ToInit::InputData(buffer[..n].to_vec()))?;
            }
        }
    }
}

fn refused(reason: String) -> Interrupt {
    Interrupt::Failed { failure: Failure::Permanent(EndCause::Artifacts), reason }
}

fn local(reason: String) -> Interrupt {
    let disk = reason.contains("No space left on device");
    let cause = if disk { EndCause::Disk } else { EndCause::Artifacts };
    Interrupt::Failed { failure: Failure::Transient(cause), reason }
}
