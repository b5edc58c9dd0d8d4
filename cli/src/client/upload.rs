//! Uploads of packed folders.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use reqwest::{Body, Method, RequestBuilder, Response};
use tokio_util::io::ReaderStream;

use super::answer::Upload;
use super::error::ClientError;
use super::http::Client;
use super::retry::Patience;

/// How much of the file is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

impl Client {
    /// Sends a tar; the name by which a job's input names it. Tries again while the API can't be reached.
    pub(crate) async fn upload(&self, tar: &File) -> Result<String, ClientError> {
        Patience::short().retry(async || self.upload_once(tar).await).await
    }

    async fn upload_once(&self, tar: &File) -> Result<String, ClientError> {
        let response = self.send_tar(self.request(Method::POST, &["uploads"]), tar).await?;
        let bytes = response.bytes().await.map_err(|e| ClientError::of(&self.address(), &e))?;
        Ok(super::Raw::<Upload>::read(&self.address(), &bytes)?.is.object)
    }

    /// Sends a tar from its beginning as the request's body.
    pub(super) async fn send_tar(
        &self,
        request: RequestBuilder,
        tar: &File,
    ) -> Result<Response, ClientError> {
        let unreadable = |cause| ClientError::File {
            what: "read",
            path: Path::new("the packed folder").to_owned(),
            cause,
        };
        let mut again = tar.try_clone().map_err(unreadable)?;
        again.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let size = again.metadata().map_err(unreadable)?.len();
        let bytes = ReaderStream::with_capacity(tokio::fs::File::from_std(again), CHUNK);
        let request = request
            .header(reqwest::header::CONTENT_TYPE, "application/x-tar")
            .header(reqwest::header::CONTENT_LENGTH, size)
            .body(Body::wrap_stream(bytes));
        // Without the answer's time limit: a large folder takes its time.
        self.send(request).await
    }
}
