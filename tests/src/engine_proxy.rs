//! Stands between a worker and its engine, and lets some requests fail or hang.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// The longest head of a request.
const MAX_HEAD: usize = 64 * 1024;
/// The longest request that is held.
const MAX_HELD: usize = 1024 * 1024;
/// Where the engine listens when nothing else is said.
const SOCKET: &str = "/var/run/docker.sock";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with an error.
    Refused,
    /// It waits until [`EngineProxy::heal`], or until whoever asked hangs up.
    Held,
    /// It waits until [`EngineProxy::heal`] and then goes on, as with a busy engine, whether or not anybody waits yet.
    Late,
}

/// A running proxy.
pub struct EngineProxy {
    address: String,
    state: Arc<State>,
    _server: AbortOnDropHandle<()>,
}

struct State {
    /// Where the engine listens.
    engine: PathBuf,
    faults: Mutex<Vec<(String, String, Fault)>>,
    healed: watch::Sender<bool>,
    held: watch::Sender<usize>,
}

impl EngineProxy {
    /// Starts one that lets everything through.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("tcp://{}", listener.local_addr()?);
        let engine = match std::env::var("DOCKER_HOST") {
            Err(_) => SOCKET.into(),
            Ok(host) => {
                host.strip_prefix("unix://").context("these tests need the engine's unix socket")?.into()
            }
        };
        let state = Arc::new(State {
            engine,
            faults: Mutex::default(),
            healed: watch::Sender::new(false),
            held: watch::Sender::new(0),
        });
        let serving = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                tokio::spawn(async move {
                    // Either side may hang up at any time.
                    let _ = forward(&state, stream).await;
                });
            }
        });
        Ok(Self { address, state, _server: AbortOnDropHandle::new(server) })
    }

    /// What `DOCKER_HOST` is to be.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on, requests of that method whose path contains `path` meet that fault.
    pub fn fail(&self, method: &str, path: &str, fault: Fault) {
        let mut faults = self.state.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push((method.to_owned(), path.to_owned(), fault));
        self.state.healed.send_replace(false);
    }

    /// How many requests wait now.
    pub fn held(&self) -> usize {
        *self.state.held.borrow()
    }

    /// Lets everything through again, what is held too.
    pub fn heal(&self) {
        self.state.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.state.healed.send_replace(true);
    }
}

impl State {
    fn fault(&self, request: &str) -> Option<Fault> {
        let mut words = request.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().find(|(m, p, _)| m == method && path.contains(p)).map(|(_, _, fault)| *fault)
    }
}

/// One request on one connection: the head is looked at, what follows is not.
async fn forward(state: &State, mut client: TcpStream) -> Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        anyhow::ensure!(bytes.len() < MAX_HEAD, "a head without end");
        anyhow::ensure!(client.read_buf(&mut bytes).await? > 0, "hung up");
    };
    let head = std::str::from_utf8(&bytes[..end])?.to_owned();
    match state.fault(&head) {
        Some(Fault::Refused) => {
            let body = "{\"message\":\"refused by a test\"}";
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            client.write_all(answer.as_bytes()).await?;
            return Ok(client.shutdown().await?);
        }
        Some(fault @ (Fault::Held | Fault::Late)) => {
            state.held.send_modify(|held| *held += 1);
            let mut healed = state.healed.subscribe();
            let gone = async {
                if fault == Fault::Late {
                    std::future::pending::<()>().await;
                }
                // A body may still be coming.
                while client.read_buf(&mut bytes).await.is_ok_and(|n| n > 0) && bytes.len() < MAX_HELD {}
            };
            let is_healed = tokio::select! {
                healed = healed.wait_for(|healed| *healed) => healed.is_ok(),
                () = gone => false,
            };
            state.held.send_modify(|held| *held -= 1);
            anyhow::ensure!(is_healed, "hung up");
        }
        None => {}
    }
    let mut engine = UnixStream::connect(&state.engine).await.context("no engine")?;
    engine.write_all(head.as_bytes()).await?;
    // The next request is to come on a connection of its own; one that becomes a stream has no next.
    if !head.to_ascii_lowercase().contains("upgrade") {
        engine.write_all(b"\r\nConnection: close").await?;
    }
    engine.write_all(&bytes[end..]).await?;
    copy_bidirectional(&mut client, &mut engine).await?;
    Ok(())
}
