//! Replaces secret values by `***` in words and in streams of bytes.
//!
//! Every byte that belongs to an occurrence of a value is masked, also where occurrences overlap; those that
//! overlap are one `***`. How a stream is cut into pieces makes no difference.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::job::JobSpec;

/// What stands where a secret stood.
pub const MASK: &str = "***";
/// The shortest line of a secret of several lines that is masked by itself, in bytes. Shorter ones, such as a
/// closing brace, are in all sorts of output.
const MIN_LINE: usize = 4;
/// The state in which nothing of a secret has been seen.
const ROOT: u32 = 0;

/// The values to mask, as one automaton (Aho and Corasick's) that looks at each byte once, however many values
/// there are and however much the text looks like them.
pub struct Secrets {
    /// The states after one byte.
    first: Box<[u32; 256]>,
    states: Vec<State>,
}

/// The bytes seen last that are the beginning of a value.
#[derive(Default)]
struct State {
    /// The last of these bytes.
    byte: u8,
    /// The first state that is one byte longer, and the next one that is as long as this and has the same
    /// beginning. [`ROOT`] is none.
    longer: u32,
    sibling: u32,
    /// The longest state that these bytes end with.
    shorter: u32,
    depth: u32,
    /// The length of the longest value that these bytes end with; 0 for none.
    value: u32,
    /// How many of these bytes may be the beginning of a value that is not complete yet.
    open: u32,
}

impl Secrets {
    /// The values of the variables that a spec names as secrets.
    #[must_use]
    pub fn of(spec: &JobSpec) -> Self {
        let environments = || std::iter::once(&spec.sandbox.env).chain(spec.commands.iter().map(|c| &c.env));
        let values = spec.secrets.iter().flat_map(|name| environments().filter_map(|env| env.get(name)));
        Self::new(values.map(String::as_str))
    }

    /// These values. Of one that has several lines, each line is masked also where it stands alone. Line ends
    /// around a value are no part of it.
    #[must_use]
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets = Self { first: Box::new([ROOT; 256]), states: vec![State::default()] };
        for value in values {
            let bare = value.trim_matches(['\r', '\n']);
            secrets.add(if bare.is_empty() || bare.len() >= MIN_LINE { bare } else { value });
            for line in bare.split('\n').map(str::trim).filter(|line| line.len() >= MIN_LINE) {
                secrets.add(line);
            }
        }
        secrets.connect();
        secrets
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.len() == 1
    }

    /// A text with its secrets masked.
    #[must_use]
    pub fn mask(self: &Arc<Self>, text: String) -> String {
        if self.is_empty() {
            return text;
        }
        let mut masker = Masker::new(Arc::clone(self));
        let mut masked = masker.push(Bytes::from(text)).to_vec();
        masked.extend_from_slice(&masker.finish());
        // Values are text and so is what is around them.
        String::from_utf8(masked).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }

    fn add(&mut self, value: &str) {
        let mut at = ROOT;
        for byte in value.bytes() {
            at = match self.longer(at, byte) {
                ROOT => self.grow(at, byte),
                known => known,
            };
        }
        let state = &mut self.states[at as usize];
        state.value = state.depth;
    }

    fn grow(&mut self, at: u32, byte: u8) -> u32 {
        // A spec is far smaller than that.
        let new = u32::try_from(self.states.len()).unwrap_or(ROOT);
        let parent = &mut self.states[at as usize];
        let state = State { byte, depth: parent.depth + 1, sibling: parent.longer, ..State::default() };
        parent.longer = new;
        self.states.push(state);
        if at == ROOT {
            self.first[usize::from(byte)] = new;
        }
        new
    }

    /// Finds out for every state, shortest first, where to go when its bytes go on differently.
    fn connect(&mut self) {
        let mut queue = VecDeque::from([ROOT]);
        while let Some(at) = queue.pop_front() {
            let mut child = self.states[at as usize].longer;
            while child != ROOT {
                let State { byte, sibling, .. } = self.states[child as usize];
                let shorter =
                    if at == ROOT { ROOT } else { self.next(self.states[at as usize].shorter, byte) };
                let (value, open) = (self.states[shorter as usize].value, self.states[shorter as usize].open);
                let state = &mut self.states[child as usize];
                state.shorter = shorter;
                if state.value == 0 {
                    state.value = value;
                }
                state.open = if state.longer == ROOT { open } else { state.depth };
                queue.push_back(child);
                child = sibling;
            }
        }
    }

    /// The state that is longer by this byte, or [`ROOT`].
    fn longer(&self, at: u32, byte: u8) -> u32 {
        if at == ROOT {
            return self.first[usize::from(byte)];
        }
        let mut child = self.states[at as usize].longer;
        while child != ROOT && self.states[child as usize].byte != byte {
            child = self.states[child as usize].sibling;
        }
        child
    }

    /// The state after one more byte.
    fn next(&self, mut at: u32, byte: u8) -> u32 {
        loop {
            let longer = self.longer(at, byte);
            if longer != ROOT || at == ROOT {
                return longer;
            }
            at = self.states[at as usize].shorter;
        }
    }
}

/// Shows no value.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Masks one stream of bytes.
///
/// It holds back what may be the beginning of a secret, and nothing else: less than the longest secret has
/// bytes.
#[derive(Debug)]
pub struct Masker {
    secrets: Arc<Secrets>,
    state: u32,
    /// How many bytes were taken.
    taken: u64,
    /// The last of these bytes, which were not given out yet.
    held: Vec<u8>,
    /// Where secrets are in what is held, in order and apart from each other.
    spans: VecDeque<Span>,
}

/// Where one or more overlapping secrets stand, counted in bytes from the stream's beginning.
#[derive(Debug)]
struct Span {
    start: u64,
    end: u64,
    /// Whether the mask in its place was given out.
    is_shown: bool,
}

impl Masker {
    /// For a stream's beginning.
    #[must_use]
    pub fn new(secrets: Arc<Secrets>) -> Self {
        Self { secrets, state: ROOT, taken: 0, held: Vec::new(), spans: VecDeque::new() }
    }

    /// Takes the next bytes; gives those that are certain.
    #[must_use]
    pub fn push(&mut self, data: Bytes) -> Bytes {
        self.search(&data);
        let open = self.secrets.states[self.state as usize].open as usize;
        if self.held.is_empty() && self.spans.is_empty() {
            // As a rule there is no secret in it, and no byte moves.
            let certain = data.len() - open;
            self.held.extend_from_slice(&data[certain..]);
            return data.slice(..certain);
        }
        self.held.extend_from_slice(&data);
        let certain = self.held.len() - open;
        self.give(certain)
    }

    /// Whether whole lines are held back.
    #[must_use]
    pub fn holds_lines(&self) -> bool {
        self.held.contains(&b'\n')
    }

    /// Gives the whole lines that are held back: somebody waits for them, and what would have made a secret of
    /// them did not come. Should it come, the rest of the secret is masked.
    #[must_use]
    pub fn release_lines(&mut self) -> Bytes {
        let lines = memchr::memrchr(b'\n', &self.held).map_or(0, |at| at + 1);
        self.give(lines)
    }

    /// Gives all that is held back: nothing follows.
    #[must_use]
    pub fn finish(&mut self) -> Bytes {
        self.state = ROOT;
        let rest = self.give(self.held.len());
        self.spans.clear();
        rest
    }

    fn search(&mut self, data: &[u8]) {
        let secrets = Arc::clone(&self.secrets);
        let mut rest = data.iter();
        loop {
            if self.state == ROOT {
                // Most bytes begin no secret.
                match rest.find(|b| secrets.first[usize::from(**b)] != ROOT) {
                    Some(byte) => self.state = secrets.first[usize::from(*byte)],
                    None => break,
                }
            } else if let Some(byte) = rest.next() {
                self.state = secrets.next(self.state, *byte);
            } else {
                break;
            }
            let value = secrets.states[self.state as usize].value;
            if value > 0 {
                let end = self.taken + (data.len() - rest.len()) as u64;
                self.found(end - u64::from(value), end);
            }
        }
        self.taken += data.len() as u64;
    }

    fn found(&mut self, start: u64, end: u64) {
        let mut span = Span { start, end, is_shown: false };
        while let Some(last) = self.spans.pop_back_if(|last| last.end > span.start) {
            span.start = span.start.min(last.start);
            span.is_shown |= last.is_shown;
        }
        self.spans.push_back(span);
    }

    /// Gives the first so many of the bytes held, with their secrets masked.
    fn give(&mut self, count: usize) -> Bytes {
        let start = self.taken - self.held.len() as u64;
        let limit = start + count as u64;
        let mut out = Vec::with_capacity(count);
        let mut at = start;
        let offset = |position: u64| usize::try_from(position - start).unwrap_or(usize::MAX);
        while let Some(span) = self.spans.front_mut().filter(|span| span.start < limit) {
            if span.start > at {
                out.extend_from_slice(&self.held[offset(at)..offset(span.start)]);
            }
            if !std::mem::replace(&mut span.is_shown, true) {
                out.extend_from_slice(MASK.as_bytes());
            }
            at = at.max(span.end.min(limit));
            if span.end > limit {
                break;
            }
            self.spans.pop_front();
        }
        out.extend_from_slice(&self.held[offset(at)..count]);
        self.held.drain(..count);
        Bytes::from(out)
    }
}

#[cfg(test)]
mod tests;
