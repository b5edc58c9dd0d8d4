//! Log entries as bytes, the same on every bus.
//!
//! Version, kind, attempt, time, then for a chunk its step, its stream and the bytes themselves: output is bulk,
//! and JSON would double it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use chrono::DateTime;

use super::BusError;
use crate::domain::id::AttemptId;
use crate::domain::log::{LogBody, LogEntry, LogStream};

const VERSION: u8 = 1;
const CHUNK: u8 = 1;
const END: u8 = 2;
/// Version, kind, dispatch, delivery, time.
const HEADER: usize = 1 + 1 + 4 + 4 + 8;
/// Step and stream.
const CHUNK_HEADER: usize = 4 + 1;
/// The step of what no running step wrote.
const NO_STEP: u32 = u32::MAX;

/// An entry as bytes. Times keep their microseconds.
pub(super) fn encode(entry: &LogEntry) -> Bytes {
    let data = match &entry.body {
        LogBody::Chunk { data, .. } => data.len(),
        LogBody::End => 0,
    };
    let mut out = BytesMut::with_capacity(HEADER + CHUNK_HEADER + data);
    out.put_u8(VERSION);
    out.put_u8(if matches!(entry.body, LogBody::End) { END } else { CHUNK });
    out.put_u32_le(entry.attempt.dispatch);
    out.put_u32_le(entry.attempt.delivery);
    out.put_i64_le(entry.at.timestamp_micros());
    if let LogBody::Chunk { step, stream, data } = &entry.body {
        out.put_u32_le(step.unwrap_or(NO_STEP));
        out.put_u8(match stream {
            LogStream::Stdout => 1,
            LogStream::Stderr => 2,
            LogStream::System => 3,
        });
        out.put_slice(data);
    }
    out.freeze()
}

/// Reads an entry back.
pub(super) fn decode(mut bytes: Bytes) -> Result<LogEntry, BusError> {
    let corrupt = |what: &str| BusError::Corrupt { what: format!("log entry: {what}") };
    if bytes.len() < HEADER {
        return Err(corrupt("too short"));
    }
    match bytes.get_u8() {
        VERSION => {}
        other => return Err(corrupt(&format!("version {other}"))),
    }
    let kind = bytes.get_u8();
    let attempt = AttemptId { dispatch: bytes.get_u32_le(), delivery: bytes.get_u32_le() };
    let at = DateTime::from_timestamp_micros(bytes.get_i64_le()).ok_or_else(|| corrupt("time"))?;
    let body = match kind {
        END => LogBody::End,
        CHUNK if bytes.len() >= CHUNK_HEADER => {
            let step = bytes.get_u32_le();
            let stream = match bytes.get_u8() {
                1 => LogStream::Stdout,
                2 => LogStream::Stderr,
                3 => LogStream::System,
                other => return Err(corrupt(&format!("stream {other}"))),
            };
            LogBody::Chunk { step: (step != NO_STEP).then_some(step), stream, data: bytes }
        }
        other => return Err(corrupt(&format!("kind {other}"))),
    };
    Ok(LogEntry { attempt, at, body })
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use proptest::prelude::*;

    use super::*;

    fn stream() -> impl Strategy<Value = LogStream> {
        prop_oneof![Just(LogStream::Stdout), Just(LogStream::Stderr), Just(LogStream::System)]
    }

    fn body() -> impl Strategy<Value = LogBody> {
        let chunk =
            (proptest::option::of(0..u32::MAX), stream(), proptest::collection::vec(any::<u8>(), 0..300));
        prop_oneof![
            Just(LogBody::End),
            chunk.prop_map(|(step, stream, data)| LogBody::Chunk { step, stream, data: data.into() }),
        ]
    }

    proptest! {
        #[test]
        fn an_entry_survives_the_journey(dispatch: u32, delivery: u32, micros in 0..4_000_000_000_000_000i64, body in body()) {
            let at = DateTime::<Utc>::from_timestamp_micros(micros).expect("in range");
            let entry = LogEntry { attempt: AttemptId { dispatch, delivery }, at, body };
            prop_assert_eq!(decode(encode(&entry)).expect("readable"), entry);
        }

        #[test]
        fn garbage_is_refused_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(bytes.into());
        }
    }
}
