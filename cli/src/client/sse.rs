//! Server-sent events, as they arrive.

use bytes::{Buf, BytesMut};

/// The longest event that is taken. The API's lines are cut at 64 KiB, which JSON may make six times as long.
const MAX_EVENT: usize = 4 * 1024 * 1024;

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// Its name; empty when it has none.
    pub(crate) name: String,
    /// Its id, if it has one.
    pub(crate) id: Option<String>,
    /// Its data.
    pub(crate) data: String,
}

/// The stream is no stream of events.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MAX_EVENT} bytes")]
pub(crate) struct TooLong;

/// Makes events of bytes that were cut anywhere. Comments are dropped.
#[derive(Debug, Default)]
pub(crate) struct SseParser {
    buffer: BytesMut,
    searched: usize,
    event: SseEvent,
    has_data: bool,
}

impl SseParser {
    /// Adds bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.buffer.len() + self.event.data.len() > MAX_EVENT {
            return Err(TooLong);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole event.
    pub(crate) fn next(&mut self) -> Option<SseEvent> {
        loop {
            let Some(found) = self.buffer[self.searched..].iter().position(|b| *b == b'\n') else {
                self.searched = self.buffer.len();
                return None;
            };
            let end = self.searched + found;
            self.searched = 0;
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if !line.is_empty() {
                self.field(line);
                continue;
            }
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                return Some(event);
            }
        }
    }

    fn field(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            // A comment, or what this reader has no use for.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hello\n\nid: 1-0\ndata: {\"line\":\"ä\"}\n\ndata:a\r\ndata: b\r\n\r\nevent: done\ndata: {}\n\n";

    fn events(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser.push(piece).unwrap();
            while let Some(event) = parser.next() {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_are_the_same_wherever_the_bytes_were_cut() {
        let event = |name: &str, id: Option<&str>, data: &str| SseEvent {
            name: name.into(),
            id: id.map(Into::into),
            data: data.into(),
        };
        let expected = vec![
            event("", Some("1-0"), "{\"line\":\"ä\"}"),
            event("", None, "a\nb"),
            event("done", None, "{}"),
        ];
        assert_eq!(events(&[STREAM.as_bytes()]), expected);
        for cut in 0..STREAM.len() {
            let (head, tail) = STREAM.as_bytes().split_at(cut);
            assert_eq!(events(&[head, tail]), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
        assert_eq!(events(&single), expected);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = SseParser::default();
        let piece = vec![b'x'; 1024 * 1024];
        let refused = (0..8).any(|_| {
            let refused = parser.push(&piece).is_err();
            assert_eq!(parser.next(), None);
            refused
        });
        assert!(refused);
    }
}
