//! The files that jobs left behind.

use std::io;
use std::sync::Arc;

use futures_util::TryStreamExt;
use orcaops_common::bus::{Bus, BusError, ByteReader};
use orcaops_common::domain::id::JobId;
use orcaops_common::domain::message::artifact_object;
use orcaops_common::domain::path::check_artifact_path;
use orcaops_common::domain::run::ArtifactMetadata;
use orcaops_common::layout::RunLayout;
use orcaops_common::store::Store;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{Body, Response};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use tokio::io::AsyncSeekExt;

use super::body::{FileAnswer, IfNoneMatch};
use super::download::continued;
use super::jobs::{known_id, record_of};
use crate::openapi::Tag;
use crate::problem::{Kind, Problem};

/// How many names an error lists at most.
const NAMES_SHOWN: usize = 20;

/// The files that a job left behind.
#[derive(Object)]
struct JobArtifactListResponse {
    /// The job.
    job_id: JobId,
    /// What they are.
    artifacts: Vec<ArtifactMetadata>,
    /// How many.
    count: u64,
}

pub(crate) struct ArtifactsApi;

#[OpenApi(prefix_path = "/orcaops", tag = "Tag::Jobs")]
impl ArtifactsApi {
    /// List a job's artifacts
    #[oai(path = "/jobs/:job_id/artifacts", method = "get", operation_id = "list_artifacts")]
    async fn list(
        &self,
        job_id: Path<String>,
        store: Data<&Arc<dyn Store>>,
    ) -> Result<Json<JobArtifactListResponse>, Problem> {
        let record = record_of(&job_id, &store).await?;
        let count = record.artifacts.len() as u64;
        Ok(Json(JobArtifactListResponse { job_id: record.job_id, artifacts: record.artifacts, count }))
    }

    /// Download an artifact
    ///
    /// `filename` is the artifact's `path`, which may hold slashes.
    #[oai(path = "/jobs/:job_id/artifacts/:filename", method = "get", operation_id = "download_artifact")]
    async fn download(
        &self,
        job_id: Path<String>,
        filename: Path<String>,
        known: IfNoneMatch,
        store: Data<&Arc<dyn Store>>,
        bus: Data<&Arc<dyn Bus>>,
        layout: Data<&RunLayout>,
    ) -> Result<FileAnswer, Problem> {
        known_id(&job_id)?;
        check_artifact_path(&filename).map_err(|reason| {
            Problem::new(Kind::PathOutsideJob, format!("`{}` is no artifact's path: {reason}", filename.0))
        })?;
        let record = record_of(&job_id, &store).await?;
        let Some(artifact) = record.artifacts.iter().find(|a| a.path == filename.0) else {
            return Err(unknown(&filename, &record.artifacts));
        };
        let tag = format!("\"{}\"", artifact.sha256);
        if known.0.is_some_and(|known| known.split(',').any(|k| k.trim() == tag || k.trim() == "*")) {
            return Ok(FileAnswer(
                Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, tag).finish(),
            ));
        }
        let content = open(&record.job_id, artifact, &store, &bus, &layout).await?;
        // Under a reader of the worker's object the mirror may take it away: it has the whole file by then.
        let (job, wanted, layout) = (record.job_id.clone(), artifact.clone(), layout.0.clone());
        let rest = |sent| async move { rest_of(&job, &wanted, &layout, sent).await };
        let content = continued(content, rest).inspect_err(|error| {
            tracing::warn!(error = crate::error::chain(error), "a download broke off");
        });
        Ok(FileAnswer(
            Response::builder()
                .content_type("application/octet-stream")
                .header(header::CONTENT_LENGTH, artifact.size_bytes)
                .header(header::CONTENT_DISPOSITION, disposition(&artifact.name))
                .header(header::ETAG, tag)
                .header("x-content-type-options", "nosniff")
                .body(Body::from_bytes_stream(content)),
        ))
    }
}

/// The mirrored file, or the worker's object while the run is not mirrored yet.
async fn open(
    job: &JobId,
    artifact: &ArtifactMetadata,
    store: &Arc<dyn Store>,
    bus: &Arc<dyn Bus>,
    layout: &RunLayout,
) -> Result<ByteReader, Problem> {
    if let Some(file) = mirrored(job, artifact, layout).await? {
        return Ok(file);
    }
    if let Some(running) = store.attempt(job).await? {
        match bus.get_object(&artifact_object(job, running.attempt, &artifact.path)).await {
            Ok((_, content)) => return Ok(content),
            Err(BusError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The mirror may have moved it between the two looks.
    mirrored(job, artifact, layout).await?.ok_or_else(|| {
        let detail = format!("the record names `{}`, but its bytes are lost", artifact.path);
        Problem::new(Kind::ArtifactNotFound, detail)
    })
}

async fn mirrored(
    job: &JobId,
    artifact: &ArtifactMetadata,
    layout: &RunLayout,
) -> Result<Option<ByteReader>, Problem> {
    let outside = |e| Problem::new(Kind::PathOutsideJob, crate::error::chain(&e));
    let path = layout.artifact_path(job, &artifact.path).map_err(outside)?;
    match tokio::fs::File::open(&path).await {
        Ok(file) => Ok(Some(Box::pin(file))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::internal("opening an artifact", &error)),
    }
}

/// The mirrored file from that many bytes on.
async fn rest_of(
    job: &JobId,
    artifact: &ArtifactMetadata,
    layout: &RunLayout,
    sent: u64,
) -> io::Result<ByteReader> {
    let path = layout.artifact_path(job, &artifact.path).map_err(io::Error::other)?;
    let mut file = tokio::fs::File::open(&path).await?;
    file.seek(io::SeekFrom::Start(sent)).await?;
    Ok(Box::pin(file))
}

fn unknown(wanted: &str, artifacts: &[ArtifactMetadata]) -> Problem {
    let mut names: Vec<_> = artifacts.iter().take(NAMES_SHOWN).map(|a| format!("`{}`", a.path)).collect();
    if artifacts.len() > NAMES_SHOWN {
        names.push(format!("{} more", artifacts.len() - NAMES_SHOWN));
    }
    let has = if names.is_empty() { "no artifacts".to_owned() } else { names.join(", ") };
    Problem::new(Kind::ArtifactNotFound, format!("there is no artifact `{wanted}`; the job has {has}"))
}

/// Names the file for a browser: in plain ASCII, and exactly (RFC 6266, RFC 8187).
fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
    let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let mut exact = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            exact.push(char::from(byte));
        } else {
            exact.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        assert_eq!(
            disposition("a\"b\r\nc é.txt"),
            "attachment; filename=\"a_b__c _.txt\"; filename*=UTF-8''a%22b%0D%0Ac%20%C3%A9.txt"
        );
    }
}
