//! Logs.

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use futures_util::StreamExt;
use futures_util::future::join_all;

use super::{BusUnderTest, job_id, never, soon};
use crate::bus::{LogPosition, LogWriter};
use crate::domain::id::AttemptId;
use crate::domain::log::{LogBody, LogEntry, LogStream, MAX_CHUNK};

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

fn entry(data: impl Into<Bytes>) -> LogEntry {
    let body = LogBody::Chunk { step: Some(0), stream: LogStream::Stdout, data: data.into() };
    LogEntry { attempt: AttemptId { dispatch: 1, delivery: 1 }, at: now(), body }
}

fn numbered(count: usize) -> Vec<LogEntry> {
    (0..count).map(|n| entry(format!("line {n}\n"))).collect()
}

async fn write(bus: &BusUnderTest, job: &str, entries: &[LogEntry]) {
    let mut writer = bus.log_writer(&job_id(job)).await.expect("a writer");
    for entry in entries {
        writer.append(entry.clone()).await.expect("appended");
    }
    writer.flush().await.expect("flushed");
}

async fn read(
    bus: &BusUnderTest,
    job: &str,
    after: LogPosition,
    count: usize,
) -> Vec<(LogPosition, LogEntry)> {
    let stream = bus.read_log(&job_id(job), after).await.expect("a reader");
    let entries = stream.take(count).map(|e| e.expect("an entry")).collect::<Vec<_>>();
    soon("the log's entries", entries).await
}

fn entries(read: Vec<(LogPosition, LogEntry)>) -> Vec<LogEntry> {
    read.into_iter().map(|(_, e)| e).collect()
}

/// Any bytes, either stream, any step, in order.
pub async fn a_log_is_read_back_as_it_was_written(bus: BusUnderTest) {
    let attempt = AttemptId { dispatch: 3, delivery: 2 };
    let chunk = |step, stream, data: &[u8]| LogEntry {
        attempt,
        at: now(),
        body: LogBody::Chunk { step, stream, data: Bytes::copy_from_slice(data) },
    };
    let written = vec![
        chunk(Some(0), LogStream::Stdout, b"\x00\xff half a \xe2"),
        chunk(None, LogStream::Stderr, b"background"),
        chunk(Some(4), LogStream::System, &vec![b'x'; MAX_CHUNK]),
        LogEntry { attempt, at: now(), body: LogBody::End },
    ];
    write(&bus, "job", &written).await;
    assert_eq!(entries(read(&bus, "job", 0, 4).await), written);
}

/// From the position of any entry, exactly what follows it.
pub async fn a_log_is_replayed_from_a_position(bus: BusUnderTest) {
    let written = numbered(20);
    write(&bus, "job", &written).await;
    let all = read(&bus, "job", 0, 20).await;
    assert!(all.windows(2).all(|w| w[0].0 < w[1].0), "positions grow");
    for (n, (position, _)) in all.iter().enumerate().take(19) {
        let rest = read(&bus, "job", *position, 19 - n).await;
        assert_eq!(entries(rest), written[n + 1..]);
    }
}

/// A reader that comes before the log exists, or is at its end, waits.
pub async fn a_reader_follows_what_is_written_later(bus: BusUnderTest) {
    let mut reader = bus.read_log(&job_id("job"), 0).await.expect("a reader");
    never("an entry came from nowhere", reader.next()).await;
    for written in numbered(3) {
        write(&bus, "job", std::slice::from_ref(&written)).await;
        let (_, entry) = soon("the entry", reader.next()).await.expect("open").expect("an entry");
        assert_eq!(entry, written);
    }
    never("an entry came from nowhere", reader.next()).await;
}

/// Readers do not take from each other.
pub async fn two_readers_read_the_same(bus: BusUnderTest) {
    let written = numbered(10);
    write(&bus, "job", &written).await;
    let (left, right) = tokio::join!(read(&bus, "job", 0, 10), read(&bus, "job", 0, 10));
    assert_eq!(entries(left.clone()), written);
    assert_eq!(left, right);
}

/// Also where one name begins with another.
pub async fn a_log_does_not_leak_into_another(bus: BusUnderTest) {
    write(&bus, "a-b", &[entry("other")]).await;
    write(&bus, "a", &[entry("own")]).await;
    write(&bus, "ab", &[entry("other")]).await;
    let mut reader = bus.read_log(&job_id("a"), 0).await.expect("a reader");
    let (_, first) = soon("the entry", reader.next()).await.expect("open").expect("an entry");
    assert_eq!(first.body, entry("own").body);
    never("another log's entry came", reader.next()).await;
}

/// 0 when there is none.
pub async fn the_end_of_a_log_is_the_position_of_its_last_entry(bus: BusUnderTest) {
    assert_eq!(bus.log_end(&job_id("job")).await.expect("an end"), 0);
    write(&bus, "job", &numbered(5)).await;
    let last = read(&bus, "job", 0, 5).await[4].0;
    assert_eq!(bus.log_end(&job_id("job")).await.expect("an end"), last);
}

/// And only that one.
pub async fn a_deleted_log_is_empty(bus: BusUnderTest) {
    write(&bus, "job", &numbered(5)).await;
    write(&bus, "kept", &numbered(1)).await;
    bus.delete_log(&job_id("job")).await.expect("deleted");
    bus.delete_log(&job_id("never-was")).await.expect("no error");
    assert_eq!(bus.log_end(&job_id("job")).await.expect("an end"), 0);
    let mut reader = bus.read_log(&job_id("job"), 0).await.expect("a reader");
    never("a deleted entry came", reader.next()).await;
    assert_eq!(read(&bus, "kept", 0, 1).await.len(), 1);
}

/// A later attempt's log follows that of an earlier one.
pub async fn a_second_writer_goes_on_where_the_first_ended(bus: BusUnderTest) {
    let written = numbered(6);
    write(&bus, "job", &written[..3]).await;
    write(&bus, "job", &written[3..]).await;
    assert_eq!(entries(read(&bus, "job", 0, 6).await), written);
}

/// A reader and a writer at full speed.
pub async fn a_long_log_arrives_whole(bus: BusUnderTest) {
    const COUNT: usize = 300;
    let written: Vec<LogEntry> =
        (0..COUNT).map(|n| entry(vec![u8::try_from(n % 251).unwrap_or(0); 32 * 1024])).collect();
    let (arrived, ()) = tokio::join!(read(&bus, "job", 0, COUNT), write(&bus, "job", &written));
    assert!(entries(arrived) == written, "what arrived is not what was written");
}

/// What follows a number are the entries whose positions are larger, whether or not an entry is there.
pub async fn any_number_is_a_position(bus: BusUnderTest) {
    let written = numbered(5);
    write(&bus, "job", &written).await;
    let all = read(&bus, "job", 0, 5).await;
    for (position, entry) in all {
        assert_eq!(read(&bus, "job", position - 1, 1).await, vec![(position, entry)]);
    }
}

/// An attempt may still write when its successor does. Every entry of both is whole, each one's in order.
pub async fn a_writer_that_was_given_up_spoils_nothing(bus: BusUnderTest) {
    const COUNT: usize = 50;
    let mut old = bus.log_writer(&job_id("job")).await.expect("a writer");
    old.append(entry("old")).await.expect("appended");
    let mut new = bus.log_writer(&job_id("job")).await.expect("a writer");
    let both = async |writer: &mut Box<dyn LogWriter>, what: &str| {
        for _ in 0..COUNT {
            writer.append(entry(what.to_owned())).await.expect("appended");
        }
        writer.flush().await.expect("flushed");
    };
    tokio::join!(both(&mut old, "old"), both(&mut new, "the new one"));
    let read = entries(read(&bus, "job", 0, 2 * COUNT + 1).await);
    let count = |what: &str| read.iter().filter(|e| e.body == entry(what.to_owned()).body).count();
    assert_eq!((count("old"), count("the new one")), (COUNT + 1, COUNT));
}

/// None of them misses one.
pub async fn a_log_of_many_small_entries_is_followed_by_many_readers(bus: BusUnderTest) {
    const COUNT: usize = 2000;
    let written = numbered(COUNT);
    let readers = join_all((0..5).map(|_| read(&bus, "job", 0, COUNT)));
    let (read, ()) = tokio::join!(readers, write(&bus, "job", &written));
    for read in read {
        assert!(entries(read) == written, "what arrived is not what was written");
    }
}
