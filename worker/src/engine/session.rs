//! The conversation with the init of one container.

use std::pin::Pin;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use orcaops_init::codec::{Decoder, encode};
use orcaops_init::message::{FromInit, Hello, PROTOCOL_VERSION, ToInit};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::error::EngineError;

/// How many messages to init may wait to be written.
const SEND_QUEUE: usize = 8;
/// How much is written to init at once, in bytes, when more waits.
const WRITE_BATCH: usize = 256 * 1024;
/// How long a started container's init may take to answer.
const HELLO_PATIENCE: Duration = Duration::from_secs(30);
/// How much of what the container says outside of frames is kept for the error, in bytes.
const STRAY_LIMIT: usize = 2048;

/// A conversation. Dropping it closes the container's stdin, at which init ends everything.
pub(crate) struct Session {
    sender: mpsc::Sender<ToInit>,
    _writer: AbortOnDropHandle<()>,
    output: BoxStream<'static, Result<LogOutput, bollard::errors::Error>>,
    decoder: Decoder,
    stray: Vec<u8>,
}

impl Session {
    /// Greets init and waits for its answer. From then on init hears from here several times in each `lease`, its own.
    pub(super) async fn open(
        attached: AttachContainerResults,
        lease: Duration,
        hello: Hello,
    ) -> Result<Self, EngineError> {
        let (sender, receiver) = mpsc::channel(SEND_QUEUE);
        let writer = AbortOnDropHandle::new(tokio::spawn(write(attached.input, receiver, lease / 4)));
        let mut session = Self {
            sender,
            _writer: writer,
            output: attached.output.boxed(),
            decoder: Decoder::new(),
            stray: Vec::new(),
        };
        session.send(ToInit::Hello(hello)).await?;
        let answer = tokio::time::timeout(HELLO_PATIENCE, session.next()).await.map_err(|_| {
            EngineError::Session(format!("init did not answer within {} s", HELLO_PATIENCE.as_secs()))
        })??;
        match answer {
            FromInit::Hello(ready) if ready.version == PROTOCOL_VERSION => Ok(session),
            FromInit::Hello(ready) => {
                Err(EngineError::Session(format!("init speaks version {} of the protocol", ready.version)))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a message; waits while many wait to be written.
    pub(crate) async fn send(&mut self, message: ToInit) -> Result<(), EngineError> {
        self.sender
            .send(message)
            .await
            .map_err(|_| EngineError::Session("its standard input was closed".to_owned()))
    }

    /// A way for blocking code to send messages.
    pub(crate) fn sender(&self) -> mpsc::Sender<ToInit> {
        self.sender.clone()
    }

    /// The next message. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<FromInit, EngineError> {
        loop {
            match self.decoder.decode::<FromInit>() {
                Ok(Some(FromInit::Pong)) => continue,
                Ok(Some(FromInit::Fatal(fatal))) => return Err(EngineError::Session(fatal.error)),
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(e) => return Err(EngineError::Session(format!("init sent {e}"))),
            }
            match self.output.try_next().await {
                Ok(Some(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                    self.decoder.push(&message);
                }
                Ok(Some(LogOutput::StdErr { message } | LogOutput::StdIn { message })) => {
                    let room = STRAY_LIMIT.saturating_sub(self.stray.len());
                    self.stray.extend_from_slice(&message[..message.len().min(room)]);
                }
                Ok(None) => return Err(EngineError::Session(self.ended())),
                Err(e) => return Err(EngineError::Session(e.to_string())),
            }
        }
    }

    fn ended(&self) -> String {
        let stray = String::from_utf8_lossy(&self.stray);
        match stray.trim() {
            "" => "it ended before its job did".to_owned(),
            words => format!("it ended before its job did, and said: {words}"),
        }
    }
}

/// A message that has no place here.
pub(crate) fn unexpected(message: &FromInit) -> EngineError {
    let kind = match message {
        FromInit::Hello(_) => "hello",
        FromInit::InputsDone(_) => "inputs done",
        FromInit::Output(_) => "output",
        FromInit::StepEnded(_) => "step ended",
        FromInit::ArtifactBegin(_) => "artifact begin",
        FromInit::ArtifactData(_) => "artifact data",
        FromInit::ArtifactEnd(_) => "artifact end",
        FromInit::Collected(_) => "collected",
        FromInit::Pong => "pong",
        FromInit::Fatal(_) => "fatal",
    };
    EngineError::Session(format!("init said `{kind}` out of turn"))
}

/// Writes messages as they come, and pings between them. Ends when the session is dropped or the container
/// reads no more.
async fn write(
    mut input: Pin<Box<dyn AsyncWrite + Send>>,
    mut messages: mpsc::Receiver<ToInit>,
    ping: Duration,
) {
    let mut buffer = Vec::new();
    let mut pings = tokio::time::interval(ping.max(Duration::from_millis(50)));
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    pings.tick().await;
    loop {
        buffer.clear();
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => encode(&message, &mut buffer),
                None => break,
            },
            _ = pings.tick() => encode(&ToInit::Ping, &mut buffer),
        }
        while buffer.len() < WRITE_BATCH
            && let Ok(message) = messages.try_recv()
        {
            encode(&message, &mut buffer);
        }
        if input.write_all(&buffer).await.is_err() || input.flush().await.is_err() {
            break;
        }
    }
}
