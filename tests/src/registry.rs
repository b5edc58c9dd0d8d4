//! A registry of images, as small as the engine will take: it serves one image, counts what it is asked, and can
//! ask for a password or keep the engine waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use bollard::Docker;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::image::{Blob, Image};

/// The name that a registry with a password lets in.
pub const USERNAME: &str = "ci";
/// Its password.
pub const PASSWORD: &str = "hunter2";
/// The two as a request's header has them.
pub(crate) const AUTHORIZATION: &str = "Basic Y2k6aHVudGVyMg==";

/// What a registry keeps back until [`Registry::let_go`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    Nothing,
    /// Every answer about the image.
    Manifest,
    /// The second half of the image's layer.
    Layer,
}

/// A running registry. Its image is gone from the engine once it is dropped.
pub struct Registry {
    address: String,
    state: Arc<State>,
    docker: Docker,
    _server: AbortOnDropHandle<()>,
}

struct State {
    image: Image,
    repository: String,
    asks_password: bool,
    hold: Hold,
    gate: watch::Sender<bool>,
    manifests: AtomicUsize,
    layers: AtomicUsize,
    kept_waiting: AtomicUsize,
}

impl Registry {
    /// Starts one that serves a copy of the test image with a layer that no other image has.
    pub async fn start(asks_password: bool, hold: Hold) -> Result<Self> {
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        let state = Arc::new(State {
            image: Image::unique(&docker).await?,
            repository: format!("orcaops-test-{}", uuid::Uuid::new_v4().simple()),
            asks_password,
            hold,
            gate: watch::Sender::new(false),
            manifests: AtomicUsize::new(0),
            layers: AtomicUsize::new(0),
            kept_waiting: AtomicUsize::new(0),
        });
        // The engine takes a registry on this address without TLS.
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let serving = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                tokio::spawn(async move {
                    // The engine may hang up at any time.
                    let _ = serve(&state, stream).await;
                });
            }
        });
        Ok(Self { address, state, docker, _server: AbortOnDropHandle::new(server) })
    }

    /// Where it listens, as images name it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The image's name.
    pub fn image(&self) -> String {
        format!("{}/{}:latest", self.address, self.state.repository)
    }

    /// How often it was asked for the image.
    pub fn manifests(&self) -> usize {
        self.state.manifests.load(Ordering::SeqCst)
    }

    /// How often it was asked for the image's layer.
    pub fn layers(&self) -> usize {
        self.state.layers.load(Ordering::SeqCst)
    }

    /// How many requests of the engine are kept waiting now.
    pub fn kept_waiting(&self) -> usize {
        self.state.kept_waiting.load(Ordering::SeqCst)
    }

    /// Keeps nothing back any more.
    pub fn let_go(&self) {
        self.state.gate.send_replace(true);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let (docker, image) = (self.docker.clone(), self.image());
        // A runtime of its own: a failing test's runtime may be ending.
        let removed = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let options = RemoveImageOptionsBuilder::default().force(true).build();
                let _ = docker.remove_image(&image, Some(options), None).await;
            });
            Ok(())
        });
        let _ = removed.join();
    }
}

/// Answers one request; the engine opens a connection for each.
async fn serve(state: &State, stream: TcpStream) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut authorization = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.trim().to_owned());
        }
    }
    if state.asks_password && authorization.as_deref() != Some(AUTHORIZATION) {
        let head = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"tests\"";
        return answer(&mut stream, head, b"{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}").await;
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let image = &state.image;
    let prefix = format!("/v2/{}/", state.repository);
    match path.strip_prefix(&prefix) {
        None if path.trim_end_matches('/') == "/v2" => answer(&mut stream, "200 OK", b"{}").await,
        Some(what)
            if what == "manifests/latest" || what == format!("manifests/{}", image.manifest.digest) =>
        {
            // Asked for by its digest, it is known already.
            if what == "manifests/latest" {
                state.manifests.fetch_add(1, Ordering::SeqCst);
            }
            if state.hold == Hold::Manifest {
                wait(state, &mut stream).await?;
            }
            let head = format!(
                "200 OK\r\nContent-Type: {}\r\nDocker-Content-Digest: {}",
                Image::MANIFEST_TYPE,
                image.manifest.digest
            );
            let body: &[u8] = if method == "HEAD" { b"" } else { &image.manifest.bytes };
            answer(&mut stream, &head, body).await
        }
        Some(what) if what == format!("blobs/{}", image.config.digest) => {
            blob(&mut stream, &image.config).await
        }
        Some(what) if what == format!("blobs/{}", image.layer.digest) => {
            state.layers.fetch_add(1, Ordering::SeqCst);
            if state.hold != Hold::Layer {
                return blob(&mut stream, &image.layer).await;
            }
            let (first, second) = image.layer.bytes.split_at(image.layer.bytes.len() / 2);
            head(&mut stream, "200 OK", image.layer.bytes.len()).await?;
            stream.write_all(first).await?;
            stream.flush().await?;
            wait(state, &mut stream).await?;
            stream.write_all(second).await?;
            Ok(stream.shutdown().await?)
        }
        _ => answer(&mut stream, "404 Not Found", b"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}").await,
    }
}

/// Waits until nothing is kept back any more, or the engine hangs up.
async fn wait(state: &State, stream: &mut BufReader<TcpStream>) -> Result<()> {
    state.kept_waiting.fetch_add(1, Ordering::SeqCst);
    let mut gate = state.gate.subscribe();
    let waited = tokio::select! {
        open = gate.wait_for(|open| *open) => open.map(|_| ()).map_err(Into::into),
        more = stream.fill_buf() => Err(anyhow::anyhow!("hung up: {:?}", more.map(<[u8]>::len))),
    };
    state.kept_waiting.fetch_sub(1, Ordering::SeqCst);
    waited
}

async fn blob(stream: &mut BufReader<TcpStream>, blob: &Blob) -> Result<()> {
    answer(stream, "200 OK\r\nContent-Type: application/octet-stream", &blob.bytes).await
}

async fn head(stream: &mut BufReader<TcpStream>, head: &str, length: usize) -> Result<()> {
    let version = "Docker-Distribution-Api-Version: registry/2.0";
    let head =
        format!("HTTP/1.1 {head}\r\n{version}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    Ok(stream.write_all(head.as_bytes()).await?)
}

/// Answers with a status, further headers, and a body.
pub(crate) async fn answer(stream: &mut BufReader<TcpStream>, what: &str, body: &[u8]) -> Result<()> {
    head(stream, what, body.len()).await?;
    stream.write_all(body).await?;
    Ok(stream.shutdown().await?)
}
