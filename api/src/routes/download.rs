//! Sends a file that may move while it is sent.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use orcaops_common::bus::ByteReader;
use tokio::io::AsyncReadExt;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// The bytes of `first`; should it break off, `elsewhere` is asked once for the rest, from that many bytes on.
pub(super) fn continued<F, R>(first: ByteReader, elsewhere: F) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    F: FnOnce(u64) -> R + Send,
    R: Future<Output = io::Result<ByteReader>> + Send,
{
    stream::unfold(Some((first, 0, Some(elsewhere))), |state| async {
        let (mut reader, mut sent, mut elsewhere) = state?;
        let mut buffer = BytesMut::with_capacity(CHUNK);
        loop {
            match reader.read_buf(&mut buffer).await {
                Ok(0) => return None,
                Ok(n) => {
                    sent += n as u64;
                    return Some((Ok(buffer.freeze()), Some((reader, sent, elsewhere))));
                }
                Err(broken) => match elsewhere.take() {
                    Some(elsewhere) => match elsewhere(sent).await {
                        Ok(rest) => reader = rest,
                        Err(_) => return Some((Err(broken), None)),
                    },
                    None => return Some((Err(broken), None)),
                },
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, TryStreamExt};
    use tokio_util::io::StreamReader;

    use super::*;

    fn breaks_off() -> ByteReader {
        let pieces = [Ok(Bytes::from_static(b"first half, ")), Err(io::Error::other("gone"))];
        Box::pin(StreamReader::new(stream::iter(pieces)))
    }

    #[tokio::test]
    async fn what_breaks_off_is_continued_where_it_broke() {
        let rest = |sent| async move {
            assert_eq!(sent, 12);
            Ok(Box::pin(&b"second half"[..]) as ByteReader)
        };
        let pieces: Vec<Bytes> = continued(breaks_off(), rest).try_collect().await.unwrap();
        assert_eq!(pieces.concat(), b"first half, second half");
    }

    #[tokio::test]
    async fn what_is_nowhere_else_is_an_error_and_never_short() {
        let rest = |_| async { Err(io::Error::other("not here either")) };
        let pieces: Vec<_> = continued(breaks_off(), rest).collect().await;
        assert!(matches!(&pieces[..], [Ok(_), Err(e)] if e.to_string() == "gone"));
        let twice = |_| async { Ok(breaks_off()) };
        let pieces: Vec<_> = continued(breaks_off(), twice).collect().await;
        assert!(matches!(&pieces[..], [Ok(_), Ok(_), Err(_)]));
    }
}
