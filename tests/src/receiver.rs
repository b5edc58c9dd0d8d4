//! A registry that takes what the engine pushes: as much of the protocol as that needs, and no more.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::image::digest;
use crate::registry::{AUTHORIZATION, answer};

/// A running registry. It asks for the name and the password of [`crate::registry`].
pub struct Receiver {
    address: String,
    kept: Arc<Mutex<Kept>>,
    _server: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Kept {
    blobs: HashSet<String>,
    manifests: BTreeMap<String, Value>,
}

impl Receiver {
    /// Starts one that holds nothing.
    pub async fn start() -> Result<Self> {
        // The engine takes a registry on this address without TLS.
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let serving = Arc::clone(&kept);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&serving);
                tokio::spawn(async move {
                    // The engine may hang up at any time.
                    let _ = serve(&kept, stream).await;
                });
            }
        });
        Ok(Self { address, kept, _server: AbortOnDropHandle::new(server) })
    }

    /// Where it listens, as images name it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The id of the image that was pushed under that name and version, if all of it came.
    pub fn image(&self, name: &str, version: &str) -> Option<String> {
        let kept = lock(&self.kept);
        let manifest = kept.manifests.get(&format!("/v2/{name}/manifests/{version}"))?;
        let digest = |part: &Value| part["digest"].as_str().map(str::to_owned);
        let config = digest(&manifest["config"])?;
        let is_whole = manifest["layers"]
            .as_array()?
            .iter()
            .chain([&manifest["config"]])
            .all(|part| digest(part).is_some_and(|digest| kept.blobs.contains(&digest)));
        is_whole.then_some(config)
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers one request.
async fn serve(kept: &Mutex<Kept>, stream: TcpStream) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let (mut length, mut is_chunked, mut may_enter) = (0, false, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse()?,
            ("transfer-encoding", value) => is_chunked = value == "chunked",
            ("authorization", value) => may_enter = value == AUTHORIZATION,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if is_chunked {
        body = chunks(&mut stream).await?;
    }
    if !may_enter {
        let head = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"tests\"";
        return answer(&mut stream, head, b"{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}").await;
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let what = match method {
        "POST" if path.ends_with("/blobs/uploads/") => {
            format!("202 Accepted\r\nLocation: {path}one\r\nDocker-Upload-UUID: one")
        }
        "PATCH" => {
            format!(
                "202 Accepted\r\nLocation: {path}\r\nDocker-Upload-UUID: one\r\nRange: 0-{}",
                body.len().max(1) - 1
            )
        }
        "PUT" if path.contains("/blobs/uploads/") => {
            let digest =
                query.split('&').find_map(|part| part.strip_prefix("digest=")).context("no digest")?;
            let digest = digest.replace("%3A", ":");
            lock(kept).blobs.insert(digest.clone());
            format!("201 Created\r\nDocker-Content-Digest: {digest}")
        }
        "PUT" => {
            lock(kept).manifests.insert(path.to_owned(), serde_json::from_slice(&body)?);
            format!("201 Created\r\nDocker-Content-Digest: {}", digest(&body))
        }
        "HEAD" => match path.rsplit('/').next().filter(|digest| lock(kept).blobs.contains(*digest)) {
            Some(digest) => format!("200 OK\r\nDocker-Content-Digest: {digest}"),
            None => "404 Not Found".to_owned(),
        },
        "GET" if path.trim_end_matches('/') == "/v2" => "200 OK".to_owned(),
        _ => "404 Not Found".to_owned(),
    };
    answer(&mut stream, &what, b"").await
}

async fn chunks(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            bail!("hung up");
        }
        let length = usize::from_str_radix(line.trim(), 16)?;
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).await?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
