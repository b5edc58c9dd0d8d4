//! Objects.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::{BusUnderTest, PATIENCE, soon};
use crate::bus::{BusError, ByteReader, ObjectInfo};

fn reader(bytes: &[u8]) -> ByteReader {
    Box::pin(io::Cursor::new(bytes.to_vec()))
}

fn info(bytes: &[u8]) -> ObjectInfo {
    ObjectInfo { size: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)) }
}

async fn read(bus: &BusUnderTest, name: &str) -> (ObjectInfo, Vec<u8>) {
    let (info, mut content) = bus.get_object(name).await.expect("an object");
    let mut bytes = Vec::new();
    soon("the bytes", content.read_to_end(&mut bytes)).await.expect("readable");
    (info, bytes)
}

async fn assert_not_found(bus: &BusUnderTest, name: &str) {
    let found = bus.object_info(name).await;
    assert!(matches!(found, Err(BusError::NotFound { .. })), "{found:?}");
    let found = bus.get_object(name).await.map(|(info, _)| info);
    assert!(matches!(found, Err(BusError::NotFound { .. })), "{found:?}");
}

/// The bytes, their size and their SHA-256.
pub async fn an_object_is_read_back_with_its_hash(bus: BusUnderTest) {
    let bytes = b"some bytes \x00\xff".repeat(1000);
    let stored = bus.put_object("some/object", reader(&bytes)).await.expect("stored");
    assert_eq!(stored, info(&bytes));
    assert_eq!(bus.object_info("some/object").await.expect("known"), stored);
    assert_eq!(read(&bus, "some/object").await, (stored, bytes));
}

/// Nothing of the old one is left.
pub async fn an_object_is_replaced_as_a_whole(bus: BusUnderTest) {
    bus.put_object("name", reader(&[b'a'; 100_000])).await.expect("stored");
    bus.put_object("name", reader(b"short")).await.expect("stored");
    assert_eq!(read(&bus, "name").await, (info(b"short"), b"short".to_vec()));
}

/// And the error says so.
pub async fn an_object_that_is_not_there_is_not_found(bus: BusUnderTest) {
    assert_not_found(&bus, "nothing").await;
}

/// Whole or not at all.
pub async fn a_reader_that_fails_stores_nothing(bus: BusUnderTest) {
    let pieces = [Ok(Bytes::from_static(b"half of it")), Err(io::Error::other("the other half is gone"))];
    let content = StreamReader::new(stream::iter(pieces));
    assert!(bus.put_object("half", Box::pin(content)).await.is_err());
    assert_not_found(&bus, "half").await;
}

/// Zero bytes are bytes too.
pub async fn an_empty_object_is_an_object(bus: BusUnderTest) {
    let stored = bus.put_object("empty", reader(b"")).await.expect("stored");
    assert_eq!(stored, info(b""));
    assert_eq!(read(&bus, "empty").await, (stored, Vec::new()));
}

/// Larger than any message.
pub async fn a_large_object_arrives_whole(bus: BusUnderTest) {
    let bytes: Vec<u8> =
        (0..20u32 << 20).map(|n| u8::try_from(n.wrapping_mul(7919) >> 8 & 0xff).unwrap_or(0)).collect();
    let stored = bus.put_object("large", reader(&bytes)).await.expect("stored");
    let (found, content) = read(&bus, "large").await;
    assert_eq!((&stored, &found), (&info(&bytes), &info(&bytes)));
    assert!(content == bytes, "the bytes differ");
}

/// And deleting what is not there is no error.
pub async fn a_deleted_object_is_gone(bus: BusUnderTest) {
    bus.put_object("short-lived", reader(b"x")).await.expect("stored");
    bus.delete_object("short-lived").await.expect("deleted");
    bus.delete_object("short-lived").await.expect("no error");
    bus.delete_object("never-was").await.expect("no error");
    assert_not_found(&bus, "short-lived").await;
}

/// They come from artifacts' paths.
pub async fn names_may_hold_anything(bus: BusUnderTest) {
    let names = ["artifacts/job/1.1/a b/ü & %.txt", "a*b>c", ".hidden", "x/../y", "Case", "case"];
    for name in names {
        bus.put_object(name, reader(name.as_bytes())).await.expect("stored");
    }
    for name in names {
        assert_eq!(read(&bus, name).await.1, name.as_bytes());
    }
}

/// The reader gets the old bytes or an error, and neither the new ones nor nothing for ever.
pub async fn an_object_that_is_replaced_while_it_is_read_is_not_mixed(bus: BusUnderTest) {
    let old = vec![b'a'; 8 << 20];
    bus.put_object("name", reader(&old)).await.expect("stored");
    let (_, mut content) = bus.get_object("name").await.expect("an object");
    let mut bytes = vec![0; 1000];
    soon("the first bytes", content.read_exact(&mut bytes)).await.expect("readable");
    bus.put_object("name", reader(&vec![b'b'; 8 << 20])).await.expect("stored");
    let rest = tokio::time::timeout(2 * PATIENCE, content.read_to_end(&mut bytes)).await.expect("an end");
    assert!(rest.is_err() || bytes == old, "{} bytes", bytes.len());
}

/// The last one counts.
pub async fn two_who_store_at_once_leave_one_whole_object(bus: BusUnderTest) {
    let (left, right) = (vec![b'l'; 3 << 20], vec![b'r'; 2 << 20]);
    let (a, b) = tokio::join!(bus.put_object("name", reader(&left)), bus.put_object("name", reader(&right)));
    a.and(b).expect("stored");
    let (_, bytes) = read(&bus, "name").await;
    assert!(bytes == left || bytes == right, "{} bytes", bytes.len());
}
