//! Files that go into a job.

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::body::{ContentLength, TarBody};
use crate::openapi::Tag;
use crate::problem::Problem;
use crate::upload::Uploads;

/// An upload that jobs may name.
#[derive(Object)]
struct UploadResponse {
    /// What to put into an input's `object`.
    object: String,
    /// The tar's size in bytes.
    size_bytes: u64,
    /// SHA-256 of the tar, in hex.
    sha256: String,
}

/// The answer to an upload.
#[derive(ApiResponse)]
enum UploadAnswer {
    /// Stored.
    #[oai(status = 201)]
    Created(Json<UploadResponse>),
    /// The same bytes had been stored before.
    #[oai(status = 200)]
    Existing(Json<UploadResponse>),
}

pub(crate) struct UploadsApi;

#[OpenApi(prefix_path = "/orcaops", tag = "Tag::Uploads")]
impl UploadsApi {
    /// Upload a tar of input files
    ///
    /// The body is an uncompressed tar. Absolute paths, `..`, links that lead out and devices are refused.
    #[oai(path = "/uploads", method = "post", operation_id = "upload")]
    async fn upload(
        &self,
        tar: TarBody,
        length: ContentLength,
        uploads: Data<&Uploads>,
    ) -> Result<UploadAnswer, Problem> {
        let upload = uploads.take(length.0, tar.0.into_bytes_stream()).await?;
        let answer =
            Json(UploadResponse { object: upload.object, size_bytes: upload.size, sha256: upload.sha256 });
        Ok(if upload.new { UploadAnswer::Created(answer) } else { UploadAnswer::Existing(answer) })
    }
}
