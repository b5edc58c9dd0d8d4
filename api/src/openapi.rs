//! The description of the API, made without a store or a bus.

use poem_openapi::{OpenApiService, Tags};

use crate::routes::{
    ArtifactsApi, ContainersApi, HealthApi, ImagesApi, JobsApi, LogsApi, RunsApi, UploadsApi,
};

/// What endpoints are about.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Submit, follow and cancel jobs.
    Jobs,
    /// Records of what ran.
    Runs,
    /// Containers on the hosts of workers.
    Containers,
    /// Files that go into a job.
    Uploads,
    /// Build images.
    Images,
    /// Whether the service works.
    Health,
}

type Apis = (JobsApi, RunsApi, LogsApi, ArtifactsApi, ContainersApi, UploadsApi, ImagesApi, HealthApi);

/// All endpoints, as a service and as a document.
pub(crate) fn service() -> OpenApiService<Apis, ()> {
    OpenApiService::new(
        (JobsApi, RunsApi, LogsApi, ArtifactsApi, ContainersApi, UploadsApi, ImagesApi, HealthApi),
        "OrcaOps",
        env!("CARGO_PKG_VERSION"),
    )
    .description(
        "Runs commands in fresh containers and records what became of them. Every error is a problem document \
         (RFC 9457) with a stable `code`; every answer carries `X-Request-Id`.",
    )
}

/// The API's OpenAPI document, as JSON that ends with a newline.
#[must_use]
pub fn openapi_document() -> String {
    let mut document = service().spec();
    document.push('\n');
    document
}
