//! Stores an object chunk by chunk, in the form of JetStream's object stores.
//!
//! The driver's own writer waits for the server after each chunk, takes chunks as small as its reader gives them, and
//! leaves in the stream what it had stored when the reader fails. Here chunks are filled, several are on their way at
//! once, and those of an object that is not finished are purged.

use std::collections::VecDeque;
use std::error::Error;

use async_nats::HeaderMap;
use async_nats::header::NATS_ROLLUP;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::object_store::{ObjectInfo, ObjectOptions};
use async_nats::jetstream::stream::Stream;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::stream::BUCKET;
use crate::bus::ByteReader;

/// How many bytes a chunk holds, the last one aside.
const CHUNK: usize = 256 * 1024;
/// How many chunks may be on their way: what an object takes of memory while it is stored.
const UNDER_WAY: usize = 8;

/// Has the server forget the messages that the subject held before.
const REPLACES_BEFORE: &str = "sub";

/// What may go wrong while an object is stored: its reader, or the server.
pub(super) type WriteError = Box<dyn Error + Send + Sync>;

/// Stores what `content` gives under a name. Until that is done nothing has the name but what had it before.
pub(super) async fn write(
    jetstream: &Context,
    stream: &Stream<()>,
    name: &str,
    content: ByteReader,
) -> Result<ObjectInfo, WriteError> {
    let nuid = uuid::Uuid::new_v4().simple().to_string();
    let mut unfinished = Unfinished {
        subject: Some(chunks_of(&nuid)),
        stream: stream.clone(),
        under_way: VecDeque::with_capacity(UNDER_WAY),
    };
    let stored = send(jetstream, &chunks_of(&nuid), content, &mut unfinished.under_way).await?;
    let info = ObjectInfo {
        name: name.to_owned(),
        description: None,
        metadata: std::collections::HashMap::default(),
        headers: None,
        options: Some(ObjectOptions { link: None, max_chunk_size: Some(CHUNK) }),
        bucket: BUCKET.to_owned(),
        nuid,
        size: stored.size,
        chunks: stored.chunks,
        modified: None,
        digest: Some(format!("SHA-256={}", BASE64_URL_SAFE.encode(stored.sha256.finalize()))),
        deleted: false,
    };
    let mut headers = HeaderMap::new();
    headers.insert(NATS_ROLLUP, REPLACES_BEFORE);
    let subject = format!("$O.{BUCKET}.M.{}", BASE64_URL_SAFE.encode(name));
    let payload = serde_json::to_vec(&info)?;
    jetstream.publish_with_headers(subject, headers, payload.into()).await?.await?;
    unfinished.finish();
    Ok(info)
}

/// Removes the chunks of an object that another one has replaced.
pub(super) async fn purge(stream: &Stream<()>, nuid: &str) -> Result<(), WriteError> {
    stream.purge().filter(chunks_of(nuid)).await?;
    Ok(())
}

fn chunks_of(nuid: &str) -> String {
    format!("$O.{BUCKET}.C.{nuid}")
}

/// What was sent.
struct Sent {
    size: usize,
    chunks: usize,
    sha256: Sha256,
}

/// What waits in `under_way` has not been acknowledged yet.
async fn send(
    jetstream: &Context,
    subject: &str,
    mut content: ByteReader,
    under_way: &mut VecDeque<PublishAckFuture>,
) -> Result<Sent, WriteError> {
    let mut sent = Sent { size: 0, chunks: 0, sha256: Sha256::new() };
    loop {
        let chunk = next_chunk(&mut content).await?;
        if chunk.is_empty() {
            break;
        }
        if under_way.len() == UNDER_WAY
            && let Some(oldest) = under_way.pop_front()
        {
            oldest.await?;
        }
        sent.sha256.update(&chunk);
        sent.size += chunk.len();
        sent.chunks += 1;
        under_way.push_back(jetstream.publish(subject.to_owned(), chunk).await?);
    }
    while let Some(oldest) = under_way.pop_front() {
        oldest.await?;
    }
    Ok(sent)
}

/// As much as fits into a chunk; nothing at the end.
async fn next_chunk(content: &mut ByteReader) -> std::io::Result<Bytes> {
    let mut chunk = vec![0; CHUNK];
    let mut filled = 0;
    while filled < CHUNK {
        match content.read(&mut chunk[filled..]).await? {
            0 => break,
            read => filled += read,
        }
    }
    chunk.truncate(filled);
    Ok(chunk.into())
}

/// Chunks that belong to no object yet. Dropped before they do, they are purged; should that fail they go with the
/// stream's own age limit.
struct Unfinished {
    subject: Option<String>,
    stream: Stream<()>,
    under_way: VecDeque<PublishAckFuture>,
}

impl Unfinished {
    fn finish(mut self) {
        self.subject = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(subject) = self.subject.take() else { return };
        let (stream, under_way) = (self.stream.clone(), std::mem::take(&mut self.under_way));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            // A chunk that is stored after the purge would stay. What one of them says does not matter.
            for acknowledgement in under_way {
                let _ = acknowledgement.await;
            }
            if let Err(error) = stream.purge().filter(subject.as_str()).await {
                tracing::debug!(subject, %error, "chunks of a broken-off object are left");
            }
        });
    }
}
