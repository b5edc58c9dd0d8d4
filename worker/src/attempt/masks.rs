//! Masks a job's secrets in all that the worker says of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orcaops_common::domain::log::LogStream;
use orcaops_common::domain::mask::{Masker, Secrets};
use tokio::time::Instant;

/// How long whole lines that may be the beginning of a secret wait for the rest of it.
const SILENCE: Duration = Duration::from_secs(1);

/// A piece of output that can be shown, and where it comes from.
pub(crate) struct Shown {
    /// The step; `None` for what an earlier one left running.
    pub(crate) step: Option<u32>,
    /// Which of its streams.
    pub(crate) stream: LogStream,
    /// Its bytes, masked.
    pub(crate) data: Bytes,
}

/// The maskers of all streams of an attempt.
///
/// Each stream of each step is masked by itself. What background processes of earlier steps print is one stream to
/// it, as nobody can tell them apart.
pub(crate) struct Masks {
    secrets: Arc<Secrets>,
    /// Few: a step's are gone when it has ended.
    streams: Vec<Masked>,
}

struct Masked {
    step: Option<u32>,
    stream: LogStream,
    masker: Masker,
    /// When it last said something.
    heard: Instant,
}

impl Masks {
    pub(crate) fn new(secrets: Arc<Secrets>) -> Self {
        Self { secrets, streams: Vec::new() }
    }

    /// What can be shown now that a stream goes on with these bytes.
    pub(crate) fn push(&mut self, step: Option<u32>, stream: LogStream, data: Bytes) -> Bytes {
        if self.secrets.is_empty() {
            return data;
        }
        let heard = Instant::now();
        let known = self.streams.iter().position(|masked| (masked.step, masked.stream) == (step, stream));
        let at = known.unwrap_or_else(|| {
            let masker = Masker::new(Arc::clone(&self.secrets));
            self.streams.push(Masked { step, stream, masker, heard });
            self.streams.len() - 1
        });
        self.streams[at].heard = heard;
        self.streams[at].masker.push(data)
    }

    /// A text, masked.
    pub(crate) fn words(&self, text: String) -> String {
        self.secrets.mask(text)
    }

    /// When lines that are held back have waited long enough; `None` while there are none.
    pub(crate) fn release_at(&self) -> Option<Instant> {
        let holding = self.streams.iter().filter(|masked| masked.masker.holds_lines());
        holding.map(|masked| masked.heard + SILENCE).min()
    }

    /// The lines that were held back for long enough by then.
    pub(crate) fn release(&mut self, now: Instant) -> Vec<Shown> {
        let due = self.streams.iter_mut().filter(|masked| masked.heard + SILENCE <= now);
        let lines = due.map(|Masked { step, stream, masker, .. }| Shown {
            step: *step,
            stream: *stream,
            data: masker.release_lines(),
        });
        lines.filter(|shown| !shown.data.is_empty()).collect()
    }

    /// All that is held back of a step that says no more.
    pub(crate) fn finish_step(&mut self, index: u32) -> Vec<Shown> {
        self.finish(|step| step == Some(index))
    }

    /// All that is held back.
    pub(crate) fn finish_all(&mut self) -> Vec<Shown> {
        self.finish(|_| true)
    }

    fn finish(&mut self, which: impl Fn(Option<u32>) -> bool) -> Vec<Shown> {
        let ended = self.streams.extract_if(.., |masked| which(masked.step));
        let rest = ended.map(|Masked { step, stream, mut masker, .. }| Shown {
            step,
            stream,
            data: masker.finish(),
        });
        rest.filter(|shown| !shown.data.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use LogStream::{Stderr, Stdout};

    use super::*;

    fn masks() -> Masks {
        Masks::new(Arc::new(Secrets::new(["hunter22"])))
    }

    #[test]
    fn each_stream_of_each_step_is_masked_by_itself() {
        let mut masks = masks();
        let mut push = |step, stream, text: &'static str| masks.push(step, stream, Bytes::from(text));
        assert_eq!(push(Some(0), Stdout, "a hunt"), "a ");
        assert_eq!(push(Some(0), Stderr, "er22"), "er22");
        assert_eq!(push(None, Stdout, "hunter"), "");
        assert_eq!(push(Some(0), Stdout, "er22\n"), "***\n");
        assert_eq!(push(None, Stdout, "22"), "***");
    }

    #[test]
    fn a_step_that_ends_gives_what_was_held_and_only_that_step() {
        let mut masks = masks();
        assert_eq!(masks.push(Some(0), Stdout, Bytes::from("hun")), "");
        assert_eq!(masks.push(None, Stdout, Bytes::from("hunt")), "");
        let step = masks.finish_step(0);
        assert_eq!((step.len(), &step[0].data[..]), (1, &b"hun"[..]));
        let rest = masks.finish_all();
        assert_eq!((rest.len(), rest[0].step, &rest[0].data[..]), (1, None, &b"hunt"[..]));
        assert!(masks.finish_all().is_empty());
    }

    #[test]
    fn lines_wait_for_a_moment_and_the_rest_for_its_line() {
        let mut masks = Masks::new(Arc::new(Secrets::new(["a\nsecret"])));
        assert!(masks.release_at().is_none());
        assert_eq!(masks.push(Some(0), Stdout, Bytes::from("x\na\nsec")), "x\n");
        let due = masks.release_at().unwrap();
        assert!(masks.release(due - SILENCE / 2).is_empty());
        // Another stream that goes on puts nothing off.
        assert_eq!(masks.push(Some(0), Stderr, Bytes::from("more\n")), "more\n");
        assert_eq!(masks.release_at(), Some(due));
        let lines = masks.release(due);
        assert_eq!((lines.len(), &lines[0].data[..]), (1, &b"a\n"[..]));
        assert!(masks.release_at().is_none());
        assert_eq!(masks.push(Some(0), Stdout, Bytes::from("ret")), "***");
    }
}
