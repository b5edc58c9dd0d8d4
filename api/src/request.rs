//! What every request goes through: an id, a span in the log, and errors as problem documents.

use std::time::Instant;

use poem::http::uri::PathAndQuery;
use poem::http::{HeaderValue, StatusCode, Uri, header};
use poem::{Endpoint, IntoResponse, Request, Response};
use tracing::Instrument;

use crate::allow::AllowedMethods;
use crate::problem::{self, Problem};

/// The header that carries a request's id, both ways.
const REQUEST_ID: &str = "x-request-id";
/// The longest id taken over from a client.
const MAX_REQUEST_ID: usize = 128;
/// The most of a framework's error text that is shown, in bytes.
const MAX_ERROR_TEXT: usize = 4096;

/// Handles every request within a span of its own; every error becomes a problem document.
pub(crate) struct Requests<E> {
    pub(crate) endpoint: E,
    pub(crate) allowed: AllowedMethods,
}

impl<E: Endpoint> Endpoint for Requests<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let id = request_id(&request);
        let span = tracing::info_span!(
            "request", request.id = %id, method = %request.method(), path = request.uri().path()
        );
        if let Some(uri) = join_artifact_path(request.uri()) {
            *request.uri_mut() = uri;
        }
        let allowed = self.allowed.at(request.uri().path());
        async {
            let started = Instant::now();
            let response = match self.endpoint.call(request).await {
                Ok(response) => response.into_response(),
                Err(error) => error.into_response(),
            };
            let mut response = with_problem(response, &id).await;
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            if let (StatusCode::METHOD_NOT_ALLOWED, Some(allowed)) = (response.status(), allowed)
                && let Ok(value) = HeaderValue::from_str(allowed)
            {
                response.headers_mut().insert(header::ALLOW, value);
            }
            let duration_ms = started.elapsed().as_millis();
            tracing::debug!(status = response.status().as_u16(), duration_ms, "answered");
            Ok(response)
        }
        .instrument(span)
        .await
    }
}

fn request_id(request: &Request) -> String {
    let given = request.header(REQUEST_ID).filter(|id| {
        !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.bytes().all(|b| b.is_ascii_graphic())
    });
    given.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

async fn with_problem(mut response: Response, id: &str) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return problem.render(id);
    }
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || response.content_type() == Some(problem::MEDIA_TYPE) {
        return response;
    }
    let text = response.take_body().into_bytes_limit(MAX_ERROR_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    if status.is_server_error() {
        tracing::error!(status = status.as_u16(), reason = text, "a request failed");
    }
    Problem::from_framework(status, text).render(id)
}

/// An artifact's name may hold slashes, which a path parameter can't: they are encoded before routing.
fn join_artifact_path(uri: &Uri) -> Option<Uri> {
    let rest = uri.path().strip_prefix("/orcaops/jobs/")?;
    let (job, name) = rest.split_once("/artifacts/")?;
    if job.contains('/') || !name.contains('/') {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("/orcaops/jobs/{job}/artifacts/{}{query}", name.replace('/', "%2F"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_in_an_artifacts_name_are_encoded_and_nothing_else_is_touched() {
        let joined = |uri: &str| join_artifact_path(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(
            joined("/orcaops/jobs/j/artifacts/a/b%20c/d.txt?x=/y").as_deref(),
            Some("/orcaops/jobs/j/artifacts/a%2Fb%20c%2Fd.txt?x=/y")
        );
        assert_eq!(
            joined("/orcaops/jobs/j/artifacts//etc/passwd").as_deref(),
            Some("/orcaops/jobs/j/artifacts/%2Fetc%2Fpasswd")
        );
        for other in ["/orcaops/jobs/j/artifacts", "/orcaops/jobs/j/artifacts/a", "/docs/a/b"] {
            assert_eq!(joined(other), None);
        }
    }
}
