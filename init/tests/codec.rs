//! The frames: what goes in comes out, nothing that a peer sends can do harm, and the wire does not change by
//! accident.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use orcaops_init::codec::{Decoder, FrameError, MAX_DATA, MAX_FRAME, Message, encode};
use orcaops_init::message::{
    ArtifactBegin, ArtifactEnd, Collect, Collected, End, Fatal, FromInit, Grace, Hello, InputEntry,
    InputLink, InputsDone, Output, PROTOCOL_VERSION, Ready, StepEnd, StepStart, Stream, ToInit,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn bulk() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 1..100), 1 => vec(any::<u8>(), MAX_DATA)]
}

fn entry() -> impl Strategy<Value = InputEntry> {
    (".*", any::<u32>()).prop_map(|(path, mode)| InputEntry { path, mode })
}

fn step() -> impl Strategy<Value = StepStart> {
    let argv = vec(".*", 0..4);
    let env = vec((".*", ".*"), 0..4);
    (any::<u32>(), argv, ".*", env, any::<u64>(), any::<u64>()).prop_map(
        |(index, argv, cwd, env, timeout_ms, grace_ms)| StepStart {
            index,
            argv,
            cwd,
            env,
            user: None,
            timeout_ms,
            grace_ms,
        },
    )
}

fn to_init() -> impl Strategy<Value = ToInit> {
    prop_oneof![
        (any::<u16>(), ".*", any::<bool>()).prop_map(|(version, workdir, make_workdir)| {
            ToInit::Hello(Hello { version, workdir, make_workdir, owner: None })
        }),
        entry().prop_map(ToInit::InputDirectory),
        entry().prop_map(ToInit::InputFile),
        bulk().prop_map(ToInit::InputData),
        (".*", ".*").prop_map(|(path, target)| ToInit::InputLink(InputLink { path, target })),
        Just(ToInit::InputsEnd),
        step().prop_map(ToInit::Step),
        any::<u64>().prop_map(|grace_ms| ToInit::Cancel(Grace { grace_ms })),
        (vec(".*", 0..4), any::<u32>(), any::<u64>()).prop_map(|(patterns, max_files, max_bytes)| {
            ToInit::Collect(Collect { patterns, max_files, max_bytes })
        }),
        Just(ToInit::Ping),
        Just(ToInit::Exit),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        any::<i32>().prop_map(End::Exited),
        any::<i32>().prop_map(End::Signaled),
        Just(End::TimedOut),
        Just(End::Cancelled),
        (any::<i32>(), ".*").prop_map(|(code, error)| End::NotStarted { code, error }),
    ]
}

fn step_end() -> impl Strategy<Value = StepEnd> {
    (any::<u32>(), end(), any::<bool>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(index, end, oom_killed, duration_us, cpu_us, max_rss_bytes)| StepEnd {
            index,
            end,
            oom_killed,
            duration_us,
            cpu_us,
            max_rss_bytes,
        },
    )
}

fn output() -> impl Strategy<Value = Output> {
    let step = option::of(0..u32::MAX);
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    (step, stream, bulk()).prop_map(|(step, stream, data)| Output { step, stream, data })
}

fn from_init() -> impl Strategy<Value = FromInit> {
    prop_oneof![
        any::<u16>().prop_map(|version| FromInit::Hello(Ready { version })),
        (option::of(".*"), any::<bool>())
            .prop_map(|(error, disk_full)| FromInit::InputsDone(InputsDone { error, disk_full })),
        output().prop_map(FromInit::Output),
        step_end().prop_map(FromInit::StepEnded),
        (".*", ".*", any::<u64>(), any::<u32>()).prop_map(|(path, source, size, mode)| {
            FromInit::ArtifactBegin(ArtifactBegin { path, source, size, mode })
        }),
        bulk().prop_map(FromInit::ArtifactData),
        (".*", any::<u64>()).prop_map(|(sha256, size)| FromInit::ArtifactEnd(ArtifactEnd { sha256, size })),
        (vec(".*", 0..4), vec(".*", 0..4), option::of(".*")).prop_map(|(unmatched, skipped, limit)| {
            FromInit::Collected(Collected { unmatched, skipped, limit })
        }),
        Just(FromInit::Pong),
        ".*".prop_map(|error| FromInit::Fatal(Fatal { error })),
    ]
}

/// Encodes, cuts into pieces of the given sizes, decodes.
fn travel<M: Message>(messages: &[M], sizes: &[usize]) -> Vec<M> {
    let mut bytes = Vec::new();
    for message in messages {
        encode(message, &mut bytes);
    }
    let (mut decoder, mut received, mut rest) = (Decoder::new(), Vec::new(), bytes.as_slice());
    for size in sizes.iter().cycle() {
        let (piece, later) = rest.split_at((*size).min(rest.len()));
        decoder.push(piece);
        while let Some(message) = decoder.decode().unwrap() {
            received.push(message);
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(decoder.pending(), 0);
    received
}

/// Feeds bytes in pieces; returns the first error, after checking that it holds.
fn feed<M: Message>(bytes: &[u8], size: usize) -> Option<FrameError> {
    let mut decoder = Decoder::new();
    for piece in bytes.chunks(size) {
        decoder.push(piece);
        loop {
            match decoder.decode::<M>() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    decoder.push(piece);
                    assert_eq!(decoder.pending(), 0);
                    assert_eq!(decoder.decode::<M>().err(), Some(error.clone()));
                    return Some(error);
                }
            }
        }
        assert!(decoder.pending() <= MAX_FRAME + size, "{} bytes wait", decoder.pending());
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_the_worker_says_arrives_however_it_is_cut(
        messages in vec(to_init(), 1..8), sizes in vec(1usize..5000, 1..8)
    ) {
        prop_assert_eq!(travel(&messages, &sizes), messages);
    }

    #[test]
    fn what_init_says_arrives_however_it_is_cut(
        messages in vec(from_init(), 1..8), sizes in vec(1usize..5000, 1..8)
    ) {
        prop_assert_eq!(travel(&messages, &sizes), messages);
    }

    #[test]
    fn garbage_is_refused_or_waits_but_never_harms(bytes in vec(any::<u8>(), 0..4000), size in 1usize..500) {
        feed::<ToInit>(&bytes, size);
        feed::<FromInit>(&bytes, size);
    }

    #[test]
    fn garbage_in_a_frame_of_any_kind_never_harms(
        kind in prop_oneof![1u8..=11, 129u8..=138], payload in vec(any::<u8>(), 0..400), size in 1usize..500
    ) {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&payload);
        feed::<ToInit>(&bytes, size);
        feed::<FromInit>(&bytes, size);
    }

    #[test]
    fn a_damaged_byte_never_harms(message in from_init(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        feed::<FromInit>(&bytes, 4096);
    }

    #[test]
    fn a_frame_that_claims_too_much_is_refused_at_once(kind in any::<u8>(), excess in 1usize..1_000_000) {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&u32::try_from(MAX_FRAME + excess).unwrap().to_le_bytes());
        prop_assert_eq!(feed::<ToInit>(&bytes, 5), Some(FrameError::TooLarge(MAX_FRAME + excess)));
    }
}

#[test]
fn a_frame_that_never_ends_holds_no_more_than_the_largest_frame() {
    let mut bytes = vec![7];
    bytes.extend_from_slice(&u32::try_from(MAX_FRAME).unwrap().to_le_bytes());
    bytes.resize(5 + 3 * MAX_FRAME, b' ');
    assert!(matches!(feed::<ToInit>(&bytes, 64 * 1024), Some(FrameError::Malformed { kind: 7, .. })));
}

#[test]
fn bulk_must_hold_something_and_not_too_much() {
    for length in [0, MAX_DATA + 1] {
        let mut bytes = vec![4];
        bytes.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        bytes.resize(5 + length, 0);
        assert!(
            matches!(feed::<ToInit>(&bytes, 4096), Some(FrameError::Malformed { kind: 4, .. })),
            "{length}"
        );
    }
}

/// Whoever changes a line here changes the wire, and must raise [`PROTOCOL_VERSION`].
#[test]
fn the_wire_changes_only_with_its_version() {
    assert_eq!(PROTOCOL_VERSION, 2);
    let text = |t: &str| t.to_owned();
    let entry = InputEntry { path: text("a"), mode: 420 };
    let ended = StepEnd {
        index: 1,
        end: End::NotStarted { code: 127, error: text("e") },
        oom_killed: true,
        duration_us: 2,
        cpu_us: 3,
        max_rss_bytes: 4,
    };
    let exited = StepEnd { end: End::Exited(3), ..ended.clone() };
    let to_init = [
        ToInit::Hello(Hello { version: 1, workdir: text("/w"), make_workdir: true, owner: None }),
        ToInit::InputDirectory(entry.clone()),
        ToInit::InputFile(entry),
        ToInit::InputData(vec![0, 255]),
        ToInit::InputLink(InputLink { path: text("a"), target: text("b") }),
        ToInit::InputsEnd,
        ToInit::Step(StepStart {
            index: 1,
            argv: vec![text("p")],
            cwd: text("/"),
            env: vec![(text("K"), text("V"))],
            user: None,
            timeout_ms: 2,
            grace_ms: 3,
        }),
        ToInit::Cancel(Grace { grace_ms: 1 }),
        ToInit::Collect(Collect { patterns: vec![text("*")], max_files: 1, max_bytes: 2 }),
        ToInit::Ping,
        ToInit::Exit,
    ];
    let from_init = [
        FromInit::Hello(Ready { version: 1 }),
        FromInit::InputsDone(InputsDone { error: None, disk_full: false }),
        FromInit::Output(Output { step: Some(1), stream: Stream::Stdout, data: vec![0, 255] }),
        FromInit::Output(Output { step: None, stream: Stream::Stderr, data: vec![0, 255] }),
        FromInit::StepEnded(ended),
        FromInit::StepEnded(exited),
        FromInit::ArtifactBegin(ArtifactBegin { path: text("a"), source: text("/a"), size: 1, mode: 420 }),
        FromInit::ArtifactData(vec![0, 255]),
        FromInit::ArtifactEnd(ArtifactEnd { sha256: text("f"), size: 1 }),
        FromInit::Collected(Collected { unmatched: vec![text("u")], skipped: vec![], limit: None }),
        FromInit::Pong,
        FromInit::Fatal(Fatal { error: text("e") }),
    ];
    let hex: Vec<String> = to_init.iter().map(in_hex).chain(from_init.iter().map(in_hex)).collect();
    assert_eq!(hex.join("\n"), include_str!("wire.txt").trim_end());
}

fn in_hex(message: &impl Message) -> String {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    hex::encode(bytes)
}
