//! Turns messages into frames and back.
//!
//! A frame is one byte of kind, four bytes of length (little endian) and that many bytes: JSON for what is
//! structured, raw bytes for what is bulk. [`MAX_FRAME`] bounds what a peer can make us hold.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::{FromInit, Output, Stream, ToInit};

/// The most payload that a frame may carry, in bytes.
pub const MAX_FRAME: usize = 1024 * 1024;
/// The most bulk bytes that either side puts into one frame.
pub const MAX_DATA: usize = 64 * 1024;
const HEADER: usize = 5;

/// A peer sent what is not a frame of this protocol. Nothing more can be read from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame claims more than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is larger than {MAX_FRAME}")]
    TooLarge(usize),
    /// A frame's kind is unknown.
    #[error("a frame is of the unknown kind {0}")]
    UnknownKind(u8),
    /// A frame's payload can't be read.
    #[error("a frame of kind {kind} cannot be read: {reason}")]
    Malformed {
        /// Its kind.
        kind: u8,
        /// What is wrong.
        reason: String,
    },
}

/// A message that can travel as a frame.
pub trait Message: Sized {
    /// Appends the message's kind and payload.
    fn write(&self, frame: &mut FrameWriter<'_>);
    /// Reads a message of that kind.
    ///
    /// # Errors
    /// When the kind is unknown or the payload malformed.
    fn read(kind: u8, payload: &[u8]) -> Result<Self, FrameError>;
}

/// Where a message puts its kind and payload.
pub struct FrameWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl FrameWriter<'_> {
    fn raw(&mut self, kind: u8, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        debug_assert!(length <= MAX_FRAME, "a frame of {length} bytes");
        self.out.push(kind);
        self.out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        for part in parts {
            self.out.extend_from_slice(part);
        }
    }

    fn json(&mut self, kind: u8, body: &impl Serialize) {
        // These types hold nothing that JSON cannot say.
        let payload = serde_json::to_vec(body).unwrap_or_default();
        self.raw(kind, &[&payload]);
    }
}

/// Appends `message` as a frame to `out`.
pub fn encode(message: &impl Message, out: &mut Vec<u8>) {
    message.write(&mut FrameWriter { out });
}

/// Reads frames from bytes that come in pieces of any size.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    broken: Option<FrameError>,
}

impl Decoder {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        if self.start > 0 && self.start * 2 >= self.buffer.len() {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, or `None` until more bytes come.
    ///
    /// # Errors
    /// When the peer broke the protocol; nothing more can be read, and the error stays.
    pub fn decode<M: Message>(&mut self) -> Result<Option<M>, FrameError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let next = self.read();
        if let Err(error) = &next {
            *self = Self { broken: Some(error.clone()), ..Self::default() };
        }
        next
    }

    fn read<M: Message>(&mut self) -> Result<Option<M>, FrameError> {
        let pending = &self.buffer[self.start..];
        let Some((header, rest)) = pending.split_at_checked(HEADER) else { return Ok(None) };
        let kind = header[0];
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > MAX_FRAME {
            return Err(FrameError::TooLarge(length));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let message = M::read(kind, payload)?;
        self.start += HEADER + length;
        Ok(Some(message))
    }

    /// How many bytes wait to become a frame.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }
}

fn json<T: DeserializeOwned>(kind: u8, payload: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(payload).map_err(|e| FrameError::Malformed { kind, reason: e.to_string() })
}

fn bulk(kind: u8, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    if payload.is_empty() || payload.len() > MAX_DATA {
        return Err(FrameError::Malformed { kind, reason: format!("{} bytes of bulk", payload.len()) });
    }
    Ok(payload.to_vec())
}

fn empty<M>(kind: u8, payload: &[u8], message: M) -> Result<M, FrameError> {
    if payload.is_empty() {
        Ok(message)
    } else {
        Err(FrameError::Malformed { kind, reason: format!("{} unexpected bytes", payload.len()) })
    }
}

impl Message for ToInit {
    fn write(&self, f: &mut FrameWriter<'_>) {
        match self {
            Self::Hello(m) => f.json(1, m),
            Self::InputDirectory(m) => f.json(2, m),
            Self::InputFile(m) => f.json(3, m),
            Self::InputData(m) => f.raw(4, &[m]),
            Self::InputLink(m) => f.json(5, m),
            Self::InputsEnd => f.raw(6, &[]),
            Self::Step(m) => f.json(7, m),
            Self::Cancel(m) => f.json(8, m),
            Self::Collect(m) => f.json(9, m),
            Self::Ping => f.raw(10, &[]),
            Self::Exit => f.raw(11, &[]),
        }
    }

    fn read(kind: u8, p: &[u8]) -> Result<Self, FrameError> {
        match kind {
            1 => json(kind, p).map(Self::Hello),
            2 => json(kind, p).map(Self::InputDirectory),
            3 => json(kind, p).map(Self::InputFile),
            4 => bulk(kind, p).map(Self::InputData),
            5 => json(kind, p).map(Self::InputLink),
            6 => empty(kind, p, Self::InputsEnd),
            7 => json(kind, p).map(Self::Step),
            8 => json(kind, p).map(Self::Cancel),
            9 => json(kind, p).map(Self::Collect),
            10 => empty(kind, p, Self::Ping),
            11 => empty(kind, p, Self::Exit),
            other => Err(FrameError::UnknownKind(other)),
        }
    }
}

/// What precedes the bytes of an output frame: one byte of stream, four of step.
const OUTPUT_HEADER: usize = 5;
/// The step of output that no running step wrote.
const BACKGROUND: u32 = u32::MAX;

impl Message for FromInit {
    fn write(&self, f: &mut FrameWriter<'_>) {
        match self {
            Self::Hello(m) => f.json(129, m),
            Self::InputsDone(m) => f.json(130, m),
            Self::Output(m) => {
                let step = m.step.unwrap_or(BACKGROUND).to_le_bytes();
                f.raw(131, &[&[m.stream as u8], &step, &m.data]);
            }
            Self::StepEnded(m) => f.json(132, m),
            Self::ArtifactBegin(m) => f.json(133, m),
            Self::ArtifactData(m) => f.raw(134, &[m]),
            Self::ArtifactEnd(m) => f.json(135, m),
            Self::Collected(m) => f.json(136, m),
            Self::Pong => f.raw(137, &[]),
            Self::Fatal(m) => f.json(138, m),
        }
    }

    fn read(kind: u8, p: &[u8]) -> Result<Self, FrameError> {
        match kind {
            129 => json(kind, p).map(Self::Hello),
            130 => json(kind, p).map(Self::InputsDone),
            131 => read_output(kind, p).map(Self::Output),
            132 => json(kind, p).map(Self::StepEnded),
            133 => json(kind, p).map(Self::ArtifactBegin),
            134 => bulk(kind, p).map(Self::ArtifactData),
            135 => json(kind, p).map(Self::ArtifactEnd),
            136 => json(kind, p).map(Self::Collected),
            137 => empty(kind, p, Self::Pong),
            138 => json(kind, p).map(Self::Fatal),
            other => Err(FrameError::UnknownKind(other)),
        }
    }
}

fn read_output(kind: u8, payload: &[u8]) -> Result<Output, FrameError> {
    let malformed = |reason: &str| FrameError::Malformed { kind, reason: reason.to_owned() };
    let (header, data) =
        payload.split_at_checked(OUTPUT_HEADER).ok_or_else(|| malformed("output without a header"))?;
    let stream = match header[0] {
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        _ => return Err(malformed("output of neither stream")),
    };
    let step = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    Ok(Output { step: (step != BACKGROUND).then_some(step), stream, data: bulk(kind, data)? })
}
