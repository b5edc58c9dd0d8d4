//! What the record keeps of a step's output: head and tail.

use std::collections::VecDeque;

/// How many bytes of the start and of the end of each stream are kept.
const KEPT: usize = 32 * 1024;

/// Head and tail of a stream of bytes. Uses at most 64 KiB.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Capture {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = KEPT - self.head.len();
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(head);
        bytes = rest;
        if bytes.len() >= KEPT {
            self.tail.clear();
            bytes = &bytes[bytes.len() - KEPT..];
        }
        let overflow = (self.tail.len() + bytes.len()).saturating_sub(KEPT);
        self.tail.drain(..overflow);
        self.tail.extend(bytes);
    }

    /// How many bytes there were, kept or not.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// What was kept, as text, with a mark where something is missing.
    pub(crate) fn into_text(self) -> String {
        let omitted = self.total - self.head.len() as u64 - self.tail.len() as u64;
        let tail: Vec<u8> = self.tail.into();
        let mut bytes = self.head;
        if omitted == 0 {
            bytes.extend_from_slice(&tail);
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        format!(
            "{}\n[... {omitted} bytes are in the log only ...]\n{}",
            String::from_utf8_lossy(&bytes),
            String::from_utf8_lossy(&tail)
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_fits_is_kept_as_it_is(text in "[a-zäß€\n]{0,2000}", cut in 1usize..97) {
            let mut capture = Capture::default();
            for piece in text.as_bytes().chunks(cut) {
                capture.push(piece);
            }
            prop_assert_eq!(capture.into_text(), text);
        }

        #[test]
        fn what_does_not_fit_keeps_its_head_its_tail_and_its_count(
            length in (2 * KEPT + 1)..(5 * KEPT),
            cut in 1usize..90_000,
        ) {
            let bytes: Vec<u8> = (0..length).map(|i| b'a' + u8::try_from(i % 26).unwrap_or(0)).collect();
            let mut capture = Capture::default();
            for piece in bytes.chunks(cut) {
                capture.push(piece);
            }
            prop_assert_eq!(capture.total(), length as u64);
            let text = capture.into_text();
            let omitted = length - 2 * KEPT;
            let mark = format!("\n[... {omitted} bytes are in the log only ...]\n");
            let expected = [&bytes[..KEPT], mark.as_bytes(), &bytes[length - KEPT..]].concat();
            prop_assert_eq!(text.into_bytes(), expected);
        }
    }
}
