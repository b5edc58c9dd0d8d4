//! Reads an object chunk by chunk.
//!
//! The driver's own reader makes a consumer for each object, which the server keeps for minutes and serves far ahead
//! of the reader. Here each chunk is asked for directly, a few ahead: memory stays flat, and thousands of objects
//! leave nothing behind.

use std::io;
use std::time::Duration;

use async_nats::jetstream::object_store::ObjectInfo;
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;
use tokio_util::task::AbortOnDropHandle;

use super::stream::BUCKET;
use crate::bus::ByteReader;

/// How many chunks are read ahead.
const AHEAD: usize = 4;
/// How long the server may take for a chunk.
const PATIENCE: Duration = Duration::from_secs(15);

/// The name of the stream that holds the bucket.
pub(super) fn stream_name() -> String {
    format!("OBJ_{BUCKET}")
}

/// The content of an object. Its last read fails when it is not what was stored as `sha256`, in hex.
pub(super) fn read(stream: Stream<()>, object: &ObjectInfo, sha256: String) -> ByteReader {
    let (chunks, mut received) = mpsc::channel(AHEAD);
    let source = Source {
        stream,
        subject: format!("$O.{BUCKET}.C.{}", object.nuid),
        left: object.chunks,
        after: 0,
        hash: Sha256::new(),
        sha256,
    };
    let reading = AbortOnDropHandle::new(tokio::spawn(source.send(chunks)));
    let content = stream::poll_fn(move |cx| {
        // Held as long as there is a reader.
        let _reading = &reading;
        received.poll_recv(cx)
    });
    Box::pin(StreamReader::new(content))
}

struct Source {
    stream: Stream<()>,
    subject: String,
    /// Chunks still to come.
    left: usize,
    /// The sequence number of the chunk before.
    after: u64,
    hash: Sha256,
    sha256: String,
}

impl Source {
    async fn send(mut self, chunks: mpsc::Sender<io::Result<Bytes>>) {
        while let Some(chunk) = self.next().await.transpose() {
            let is_broken = chunk.is_err();
            // A reader that has gone away needs no more.
            if chunks.send(chunk).await.is_err() || is_broken {
                return;
            }
        }
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            let sha256 = hex::encode(std::mem::take(&mut self.hash).finalize());
            let is_right = sha256 == self.sha256;
            return if is_right { Ok(None) } else { Err(io::Error::other("the object's bytes changed")) };
        }
        let next = self.stream.direct_get_next_for_subject(self.subject.as_str(), Some(self.after + 1));
        let chunk = tokio::time::timeout(PATIENCE, next).await.map_err(|_| io::ErrorKind::TimedOut)?;
        // Those of an object that was replaced or deleted are gone.
        let chunk = chunk.map_err(io::Error::other)?;
        self.left -= 1;
        self.after = chunk.sequence;
        self.hash.update(&chunk.payload);
        Ok(Some(chunk.payload))
    }
}
