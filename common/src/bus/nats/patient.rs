//! A reader that does not wait for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Reads from another reader, and fails when that has nothing to say for too long.
pub(super) struct Patient<R> {
    reader: R,
    patience: Duration,
    /// Set while something is waited for.
    until: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<R> Patient<R> {
    /// Must be called within a runtime.
    pub(super) fn new(reader: R, patience: Duration) -> Self {
        Self { reader, patience, until: Box::pin(tokio::time::sleep(patience)), waiting: false }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Patient<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.reader).poll_read(cx, buf) {
            self.waiting = false;
            return Poll::Ready(read);
        }
        if !self.waiting {
            let until = Instant::now() + self.patience;
            self.until.as_mut().reset(until);
            self.waiting = true;
        }
        ready!(self.until.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the rest of the object did not come")))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_comes_is_passed_on_and_silence_is_an_error() {
        let (mut writer, reader) = tokio::io::duplex(64);
        let mut reader = Patient::new(reader, Duration::from_millis(50));
        writer.write_all(b"hello").await.expect("written");
        let mut bytes = [0; 5];
        reader.read_exact(&mut bytes).await.expect("read");
        assert_eq!(&bytes, b"hello");
        let silence = reader.read(&mut bytes).await.expect_err("nothing came");
        assert_eq!(silence.kind(), io::ErrorKind::TimedOut);
    }
}
