//! A gate before the engine: lets tests hold one kind of request up, as a busy engine would.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::wait::until;

/// Where Docker's engine listens unless the environment says otherwise.
const ENGINE: &str = "/var/run/docker.sock";
const BUFFER: usize = 64 * 1024;

/// The gate. What was forwarded ends when this is dropped.
pub struct Gate {
    folder: TempDir,
    state: Arc<State>,
    _listener: AbortOnDropHandle<()>,
}

struct State {
    /// The method and a part of the path of the requests that are held; `None` while the gate is open.
    held: watch::Sender<Option<(String, String)>>,
    waiting: Mutex<usize>,
}

impl Gate {
    /// An open gate before this machine's engine.
    pub fn open_before_engine() -> Result<Self> {
        let engine = match std::env::var("DOCKER_HOST") {
            Err(_) => PathBuf::from(ENGINE),
            Ok(host) => {
                let path =
                    host.strip_prefix("unix://").context("these tests need the engine's unix socket")?;
                PathBuf::from(path)
            }
        };
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join("engine.sock"))?;
        let state = Arc::new(State { held: watch::Sender::new(None), waiting: Mutex::new(0) });
        let served = tokio::spawn(serve(listener, engine, Arc::clone(&state)));
        Ok(Self { folder, state, _listener: AbortOnDropHandle::new(served) })
    }

    /// What to set `DOCKER_HOST` to.
    pub fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("engine.sock").display())
    }

    /// Holds requests of that method whose path contains that part, until [`open`](Gate::open).
    pub fn hold(&self, method: &str, part: &str) {
        self.state.held.send_replace(Some((method.to_owned(), part.to_owned())));
    }

    /// Lets go what is held and what comes.
    pub fn open(&self) {
        self.state.held.send_replace(None);
    }

    /// Waits until a request is held.
    pub async fn holds_one(&self) -> Result<()> {
        until("a request to the engine is held", Duration::from_secs(60), async || self.state.waiting() > 0)
            .await
    }
}

impl State {
    fn waiting(&self) -> usize {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_held(&self, request: &[u8]) -> bool {
        let line = request.split(|b| *b == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let held = self.held.borrow();
        held.as_ref().is_some_and(|(method, part)| {
            line.starts_with(&format!("{method} "))
                && line.contains(part.as_str())
                && line.ends_with("HTTP/1.1")
        })
    }

    async fn pass(&self, request: &[u8]) {
        if !self.is_held(request) {
            return;
        }
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let _ = self.held.subscribe().wait_for(|held| held.is_none()).await;
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

async fn serve(listener: UnixListener, engine: PathBuf, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let (engine, state) = (engine.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let _ = forward(client, &engine, &state).await;
        });
    }
}

async fn forward(client: UnixStream, engine: &Path, state: &State) -> Result<()> {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_engine, to_engine) = UnixStream::connect(engine).await?.into_split();
    let answers = async {
        copy(&mut from_engine, &mut to_client).await?;
        to_client.shutdown().await.context("the client is gone")
    };
    let (sent, answered) = tokio::join!(requests(from_client, to_engine, state), answers);
    sent.and(answered)
}

/// The engine's client writes the head of a request at once, so a piece that begins like one is one.
async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await.context("the engine is gone");
        }
        state.pass(&buffer[..count]).await;
        to.write_all(&buffer[..count]).await?;
    }
}
