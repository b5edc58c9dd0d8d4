//! Reads a log's file while it grows.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

use super::log::Log;
use super::log_file::{self, LENGTH, MAX_ENTRY};
use super::unusable;
use crate::bus::{BusError, LogPosition, log_codec};
use crate::domain::log::LogEntry;

/// How much is read at once, in bytes.
const READ: usize = 256 * 1024;
/// How often a reader looks for what another process wrote.
const POLL: Duration = Duration::from_millis(300);

/// A reader of one log.
pub(super) struct Reader {
    log: Arc<Log>,
    /// Entries that end here or before are skipped: any number is a position, not only an entry's end.
    after: LogPosition,
    file: Option<File>,
    /// Where the buffer's first byte stands in the file: the end of an entry.
    position: LogPosition,
    buffer: BytesMut,
}

impl Reader {
    pub(super) fn new(log: Arc<Log>, after: LogPosition) -> Self {
        Self { log, after, file: None, position: 0, buffer: BytesMut::new() }
    }

    /// The next entry; waits until there is one.
    pub(super) async fn next(&mut self) -> Result<(LogPosition, LogEntry), BusError> {
        let log = Arc::clone(&self.log);
        loop {
            while let Some((position, entry)) = self.buffered()? {
                if position > self.after {
                    return Ok((position, entry));
                }
            }
            // Heard from before the file is looked at, so that nothing written in between is missed.
            let mut wake = std::pin::pin!(log.written.notified());
            wake.as_mut().enable();
            if !self.fill().await.map_err(|e| unusable(&log.path, e))? {
                tokio::select! {
                    () = wake => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<(LogPosition, LogEntry)>, BusError> {
        let Some(length) = self.buffer.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_ENTRY {
            let name = self.log.path.file_name().unwrap_or_default().to_string_lossy();
            return Err(BusError::Corrupt { what: format!("{name}: an entry of {length} bytes") });
        }
        if self.buffer.len() < LENGTH + length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH);
        let entry = log_codec::decode(self.buffer.split_to(length).freeze())?;
        self.position += (LENGTH + length) as u64;
        Ok(Some((self.position, entry)))
    }

    /// Reads on; `false` when there is nothing more yet.
    async fn fill(&mut self) -> std::io::Result<bool> {
        let file = match &mut self.file {
            Some(file) => file,
            none => match File::open(&self.log.path).await {
                Ok(mut file) => {
                    self.position = log_file::boundary(self.log.path.clone(), 0, self.after).await?;
                    file.seek(SeekFrom::Start(self.position)).await?;
                    none.insert(file)
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(e),
            },
        };
        self.buffer.reserve(READ);
        let n = file.read_buf(&mut self.buffer).await?;
        if n == 0 && !self.buffer.is_empty() {
            // Half an entry at the end: whoever wrote it may have died, and the next writer begins there
            // again. What is there by then counts.
            self.buffer.clear();
            file.seek(SeekFrom::Start(self.position)).await?;
        }
        Ok(n > 0)
    }
}
