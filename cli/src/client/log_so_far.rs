//! What there is of a job's log now.

use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::Method;

use super::error::ClientError;
use super::http::Client;
use super::log::{LONGEST_SILENCE, Line, Selection};

/// The longest line of JSON that is taken. The API's lines are cut at 64 KiB, which JSON may make six times as
/// long.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// JSON, a document a line.
const NDJSON: &str = "application/x-ndjson";

/// Reads what there is of a job's log now.
pub(crate) struct LogSoFar {
    address: String,
    buffer: BytesMut,
    /// How much of the buffer has no line end.
    searched: usize,
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
}

impl LogSoFar {
    /// Asks for the lines that are wanted.
    pub(crate) async fn open(client: &Client, job: &str, selection: &Selection) -> Result<Self, ClientError> {
        let request = client.request(Method::GET, &["jobs", job, "logs"]).header("Accept", NDJSON);
        let mut request = selection.apply(request);
        if let Some(tail) = selection.tail {
            request = request.query(&[("tail", tail)]);
        }
        let bytes = client.send(request).await?.bytes_stream().boxed();
        Ok(Self { address: client.address(), buffer: BytesMut::new(), searched: 0, bytes })
    }

    /// The next line; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, ClientError> {
        loop {
            if let Some(found) = self.buffer[self.searched..].iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(self.searched + found);
                self.buffer.advance(1);
                self.searched = 0;
                return self.read(&line).map(Some);
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_LINE {
                return Err(self.broken(&format!("a line of more than {MAX_LINE} bytes")));
            }
            match tokio::time::timeout(LONGEST_SILENCE, self.bytes.next()).await {
                Err(_) => return Err(self.broken("the log fell silent")),
                Ok(Some(bytes)) => {
                    let bytes = bytes.map_err(|e| ClientError::of(&self.address, &e))?;
                    self.buffer.extend_from_slice(&bytes);
                }
                Ok(None) if self.buffer.is_empty() => return Ok(None),
                Ok(None) => return Err(self.broken("the log ended within a line")),
            }
        }
    }

    fn read(&self, json: &[u8]) -> Result<Line, ClientError> {
        let unreadable = |cause| ClientError::Unreadable { address: self.address.clone(), cause };
        let line: Line = serde_json::from_slice(json).map_err(unreadable)?;
        Ok(Line { json: String::from_utf8_lossy(json).into_owned(), ..line })
    }

    fn broken(&self, reason: &str) -> ClientError {
        ClientError::Broken { address: self.address.clone(), reason: reason.to_owned() }
    }
}
