use bytes::Bytes;
use chrono::TimeZone as _;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const FIRST: AttemptId = AttemptId { dispatch: 1, delivery: 1 };
const SECOND: AttemptId = AttemptId { dispatch: 1, delivery: 2 };

fn at() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

fn chunk(attempt: AttemptId, step: Option<u32>, stream: LogStream, data: &[u8]) -> LogEntry {
    LogEntry { attempt, at: at(), body: LogBody::Chunk { step, stream, data: Bytes::copy_from_slice(data) } }
}

fn out(data: impl AsRef<[u8]>) -> LogEntry {
    chunk(FIRST, Some(0), LogStream::Stdout, data.as_ref())
}

fn end(attempt: AttemptId) -> LogEntry {
    LogEntry { attempt, at: at(), body: LogBody::End }
}

/// Gives each entry the position 2, 4, 6, …: positions need not be dense.
fn assemble(entries: &[LogEntry]) -> Vec<LogLine> {
    let mut assembler = LineAssembler::new();
    (1..).zip(entries).flat_map(|(n, entry)| assembler.push(2 * n, entry)).collect()
}

fn texts(entries: &[LogEntry]) -> Vec<String> {
    assemble(entries).into_iter().map(|l| l.line).collect()
}

#[test]
fn a_line_ends_at_its_newline_and_the_last_one_at_the_attempts_end() {
    let entries = [out("a\nb"), out("c\r\n\nd\r"), end(FIRST)];
    assert_eq!(texts(&entries), ["a", "bc\r", "", "d\r"]);
    assert_eq!(texts(&entries[..2]), ["a", "bc\r", ""]);
    let partial: Vec<bool> = assemble(&entries).iter().map(|l| l.partial).collect();
    assert_eq!(partial, [false, false, false, true]);
}

#[test]
fn streams_and_steps_do_not_mix() {
    let entries = [
        chunk(FIRST, Some(0), LogStream::Stdout, b"out "),
        chunk(FIRST, Some(0), LogStream::Stderr, b"err\n"),
        chunk(FIRST, None, LogStream::Stdout, b"background\n"),
        chunk(FIRST, Some(0), LogStream::Stdout, b"put\n"),
    ];
    let lines = assemble(&entries);
    let seen: Vec<_> = lines.iter().map(|l| (l.line.as_str(), l.stream, l.step)).collect();
    assert_eq!(
        seen,
        [
            ("err", LogStream::Stderr, Some(0)),
            ("background", LogStream::Stdout, None),
            ("out put", LogStream::Stdout, Some(0)),
        ]
    );
    assert_eq!(lines[0].attempt, "1.1");
}

#[test]
fn a_later_step_or_attempt_completes_what_earlier_ones_left() {
    let entries = [
        out("no newline"),
        chunk(FIRST, Some(1), LogStream::Stdout, b"next\n"),
        chunk(FIRST, None, LogStream::Stdout, b"still "),
        chunk(FIRST, Some(2), LogStream::Stdout, b"x\n"),
        chunk(FIRST, None, LogStream::Stdout, b"there"),
        chunk(SECOND, Some(0), LogStream::Stdout, b"again\n"),
    ];
    assert_eq!(texts(&entries), ["no newline", "next", "x", "still there", "again"]);
}

#[test]
fn ids_count_from_the_last_position_without_an_incomplete_line() {
    let entries = [out("a\nb\n"), out("c\nd"), out("\ne\n"), out("f\n")];
    let ids: Vec<_> = assemble(&entries).into_iter().map(|l| l.id).collect();
    assert_eq!(ids, ["0-1", "0-2", "2-1", "2-2", "2-3", "6-1"]);
}

#[test]
fn ids_are_read_back_and_nonsense_is_not() {
    assert_eq!(LineAssembler::parse_id("12-3"), Some((12, 3)));
    for bad in ["", "-", "1", "1-", "-1", "a-1", "1-b", "1-2-3", "+1-2", " 1-2", "99999999999999999999-1"] {
        assert_eq!(LineAssembler::parse_id(bad), None, "{bad:?}");
    }
}

#[test]
fn bytes_that_are_not_text_are_replaced_and_kept_beside() {
    let lines = assemble(&[out(b"a\xffb\xc3\nc\n")]);
    assert_eq!((lines[0].line.as_str(), lines[0].bytes.as_deref()), ("a\u{fffd}b\u{fffd}", Some("Yf9iww==")));
    assert_eq!((lines[1].line.as_str(), lines[1].bytes.as_deref()), ("c", None));
    let word = "grün".as_bytes();
    assert_eq!(texts(&[out(&word[..3]), out(&word[3..]), end(FIRST)]), ["grün"]);
}

#[test]
fn a_long_line_is_cut_between_characters() {
    let lines = texts(&[out("é".repeat(MAX_LINE)), out("\n")]);
    assert_eq!(lines.len(), 2);
    let odd = texts(&[out(format!("x{}\n", "é".repeat(MAX_LINE)))]);
    assert_eq!(odd[0].len(), MAX_LINE - 1);
    assert!(odd.concat().chars().all(|c| c == 'x' || c == 'é'));
    let full = assemble(&[out("a".repeat(MAX_LINE)), out("\nb\n")]);
    assert_eq!(
        full.iter().map(|l| (l.line.len(), l.partial)).collect::<Vec<_>>(),
        [(MAX_LINE, false), (1, false)]
    );
    let longer = assemble(&[out("a".repeat(MAX_LINE + 1)), out("\n")]);
    assert_eq!(
        longer.iter().map(|l| (l.line.len(), l.partial)).collect::<Vec<_>>(),
        [(MAX_LINE, true), (1, false)]
    );
}

#[test]
fn held_bytes_stay_bounded_whatever_a_job_prints() {
    let mut assembler = LineAssembler::new();
    for n in 1..200 {
        let step = u32::try_from(n / 4).unwrap();
        assembler.push(n, &chunk(FIRST, Some(step), LogStream::Stdout, &[b'x'; 50_000]));
        assembler.push(n, &chunk(FIRST, Some(step), LogStream::Stderr, &[0xf0; 50_000]));
        let held: Vec<usize> = assembler.partial.values().map(|p| p.bytes.len()).collect();
        assert!(held.len() <= 4 && held.iter().all(|h| *h <= MAX_LINE), "{held:?}");
    }
}

/// Bytes with many newlines, carriage returns, and characters of all lengths, some of them broken.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        4 => "[a-c]{1,5}".prop_map(String::into_bytes),
        2 => "[äé€😀]".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 1..3),
        1 => (MAX_LINE - 2..MAX_LINE + 3).prop_map(|n| "é".repeat(n / 2).into_bytes()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Cuts `data` at places chosen by `cuts`.
fn cut(data: &[u8], cuts: &[prop::sample::Index]) -> Vec<LogEntry> {
    let mut places: Vec<usize> =
        cuts.iter().map(|c| c.index(data.len() + 1)).chain([0, data.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|w| out(&data[w[0]..w[1]])).chain([end(FIRST)]).collect()
}

fn any_entry() -> impl Strategy<Value = LogEntry> {
    let texts: [&[u8]; 8] = [b"a", b"b\n", b"c\nd", b"\n", b"e\nf\n", b"", b"\xc3", b"\xa4\r\n"];
    let text = prop::sample::select(texts.to_vec());
    let source = (1..3_u32, prop::option::of(0..3_u32), any::<bool>());
    prop_oneof![
        8 => (source, text).prop_map(|((delivery, step, is_error), text)| {
            let stream = if is_error { LogStream::Stderr } else { LogStream::Stdout };
            chunk(AttemptId { dispatch: 1, delivery }, step, stream, text)
        }),
        1 => (1..3_u32).prop_map(|delivery| end(AttemptId { dispatch: 1, delivery })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_bytes_are_cut_the_lines_are_the_same(
        data in bytes(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        prop_assert_eq!(texts(&cut(&data, &cuts)), texts(&cut(&data, &[])));
    }

    #[test]
    fn however_bytes_are_cut_their_lines_put_together_are_the_same_bytes(
        data in bytes(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let lines = assemble(&cut(&data, &cuts));
        prop_assert!(lines.iter().map(LogLine::content).collect::<Vec<_>>().concat() == data);
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_mixed_however_origins_interleave(entries in vec(any_entry(), 0..60)) {
        let mut written: BTreeMap<_, Vec<u8>> = BTreeMap::new();
        for entry in &entries {
            if let LogBody::Chunk { step, stream, data } = &entry.body {
                let origin = (entry.attempt.to_string(), *step, order(*stream));
                written.entry(origin).or_default().extend_from_slice(data);
            }
        }
        written.retain(|_, bytes| !bytes.is_empty());
        let mut read: BTreeMap<_, Vec<u8>> = BTreeMap::new();
        let ends = [end(FIRST), end(SECOND)];
        for line in assemble(&[&entries[..], &ends].concat()) {
            let origin = (line.attempt.clone(), line.step, order(line.stream));
            read.entry(origin).or_default().extend(line.content());
        }
        prop_assert_eq!(read, written);
    }

    #[test]
    fn from_every_id_exactly_the_rest_follows(entries in vec(any_entry(), 0..40)) {
        let all = assemble(&entries);
        for (seen, line) in all.iter().enumerate() {
            let (position, skip) = LineAssembler::parse_id(&line.id).unwrap();
            let mut assembler = LineAssembler::after(position);
            let rest: Vec<LogLine> = (1..)
                .zip(&entries)
                .filter(|(n, _)| 2 * n > position)
                .flat_map(|(n, entry)| assembler.push(2 * n, entry))
                .skip(usize::try_from(skip).unwrap())
                .collect();
            prop_assert_eq!(&rest[..], &all[seen + 1..], "after {}", &line.id);
        }
    }

    #[test]
    fn ids_grow(entries in vec(any_entry(), 0..40)) {
        let ids: Vec<_> =
            assemble(&entries).iter().map(|l| LineAssembler::parse_id(&l.id).unwrap()).collect();
        prop_assert!(ids.windows(2).all(|w| w[0] < w[1]), "{:?}", ids);
    }
}
