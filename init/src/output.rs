//! What goes out: frames to the worker, and the pipes whose bytes become frames.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use orcaops_init::codec::{self, MAX_DATA};
use orcaops_init::message::{FromInit, Output, Stream};

use crate::sys;

/// How many bytes may wait for the worker before the job's output is left in its pipes, where it makes the
/// job wait instead of filling memory.
const HIGH_WATER: usize = 1024 * 1024;
/// How many bytes may wait before even a pong is withheld: who reads nothing needs none.
const PONG_WATER: usize = 2 * HIGH_WATER;

/// Frames on their way to the worker.
pub(crate) struct Outgoing {
    file: File,
    buffer: Vec<u8>,
    start: usize,
}

impl Outgoing {
    /// `file` must not block.
    pub(crate) fn new(file: File) -> Self {
        Self { file, buffer: Vec::new(), start: 0 }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(crate) fn send(&mut self, message: &FromInit) {
        codec::encode(message, &mut self.buffer);
    }

    pub(crate) fn pong(&mut self) {
        if self.pending() < PONG_WATER {
            self.send(&FromInit::Pong);
        }
    }

    /// Whether bulk may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.pending() < HIGH_WATER
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending() == 0
    }

    fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Writes as much as the worker takes now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.is_empty() {
            match self.file.write(&self.buffer[self.start..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.start += count,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if self.is_empty() || self.start >= HIGH_WATER / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        Ok(())
    }
}

/// One end of a pipe that a step's processes write to.
struct Pipe {
    reader: PipeReader,
    stream: Stream,
    /// The step that it belongs to until that ends.
    step: Option<u32>,
    /// How many bytes were in it when its step ended: they are still that step's.
    owed: Option<usize>,
    /// Where the last poll keeps its answer.
    slot: Option<usize>,
}

impl Pipe {
    fn is_owed(&self) -> bool {
        self.owed.is_some_and(|n| n > 0)
    }
}

/// All pipes that may still be written to: the running step's, and those that earlier steps' background
/// processes hold.
pub(crate) struct Pipes {
    pipes: Vec<Pipe>,
    scratch: Box<[u8]>,
}

impl Pipes {
    pub(crate) fn new() -> Self {
        Self { pipes: Vec::new(), scratch: vec![0; MAX_DATA].into_boxed_slice() }
    }

    /// Takes a step's pipe. It must not block.
    pub(crate) fn add(&mut self, reader: PipeReader, stream: Stream, step: u32) {
        self.pipes.push(Pipe { reader, stream, step: Some(step), owed: None, slot: None });
    }

    pub(crate) fn watch(&mut self, poll: &mut sys::Poll) {
        for pipe in &mut self.pipes {
            pipe.slot = Some(poll.readable(pipe.reader.as_fd()));
        }
    }

    pub(crate) fn unwatch(&mut self) {
        for pipe in &mut self.pipes {
            pipe.slot = None;
        }
    }

    /// Sends what lies in the pipes that are ready, once round.
    pub(crate) fn read_ready(&mut self, poll: &sys::Poll, out: &mut Outgoing) {
        self.read_where(out, |pipe| pipe.slot.take().is_some_and(|slot| poll.is_ready(slot)));
    }

    /// The pipes' owners have ended: what lies in them now is owed before anything else is said, and no more,
    /// for who is left in the background may go on writing forever.
    pub(crate) fn owe(&mut self) {
        for pipe in &mut self.pipes {
            pipe.owed = Some(sys::bytes_waiting(pipe.reader.as_fd()).unwrap_or(0));
        }
    }

    /// Sends what is owed, as far as there is room. Says whether nothing is owed any more; what comes from
    /// then on is background output.
    pub(crate) fn settle(&mut self, out: &mut Outgoing) -> bool {
        while out.has_room() && self.pipes.iter().any(Pipe::is_owed) {
            self.read_where(out, |pipe| pipe.is_owed());
        }
        if self.pipes.iter().any(Pipe::is_owed) {
            return false;
        }
        for pipe in &mut self.pipes {
            pipe.owed = None;
            pipe.step = None;
        }
        true
    }

    fn read_where(&mut self, out: &mut Outgoing, mut chosen: impl FnMut(&mut Pipe) -> bool) {
        let scratch = &mut self.scratch;
        self.pipes.retain_mut(|pipe| !chosen(pipe) || !out.has_room() || read_once(pipe, scratch, out));
    }
}

/// Sends one read's worth. Says whether the pipe is still open.
fn read_once(pipe: &mut Pipe, scratch: &mut [u8], out: &mut Outgoing) -> bool {
    let limit = pipe.owed.filter(|n| *n > 0).map_or(scratch.len(), |n| n.min(scratch.len()));
    match pipe.reader.read(&mut scratch[..limit]) {
        Ok(0) => false,
        Ok(count) => {
            // What comes after what was owed is no longer the step's.
            let step = if pipe.owed == Some(0) { None } else { pipe.step };
            pipe.owed = pipe.owed.map(|n| n.saturating_sub(count));
            out.send(&FromInit::Output(Output {
                step,
                stream: pipe.stream,
                data: scratch[..count].to_vec(),
            }));
            true
        }
        Err(e) if e.kind() == io::ErrorKind::Interrupted => true,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            // A process of the job has taken what was owed, by way of /proc.
            pipe.owed = pipe.owed.map(|_| 0);
            true
        }
        Err(_) => false,
    }
}

/// `text`, cut so that what a job chose (a path, a program's name) can't make a frame too large.
pub(crate) fn clip(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
        text.push('…');
    }
    text
}
