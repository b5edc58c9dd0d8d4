//! Errors as users see them: problem documents (RFC 9457), made in one place.

use orcaops_common::bus::BusError;
use orcaops_common::store::StoreError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::Object;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;

use crate::error::chain;

/// The media type of problem documents.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
/// What `Retry-After` says when the store or the bus is away, in seconds.
const RETRY_AFTER: &str = "2";

/// An error, as a document.
#[derive(Debug, Clone, Object)]
#[oai(rename = "Problem")]
struct ProblemDocument {
    /// Identifies the kind of problem.
    #[oai(rename = "type")]
    kind: String,
    /// What kind of problem it is, in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened this time, and how to mend it.
    detail: String,
    /// A stable name of the kind of problem, for programs.
    code: String,
    /// Names the request; the service's log has it too.
    request_id: String,
    /// The fields that are wrong, all at once.
    #[oai(skip_serializing_if_is_none)]
    errors: Option<Vec<FieldProblem>>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub(crate) struct FieldProblem {
    /// JSON pointer (RFC 6901) to the field in the request's body; the name of a parameter of its query.
    pub(crate) pointer: String,
    /// What is wrong with it and how to mend it.
    pub(crate) detail: String,
}

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MalformedRequest,
    PathOutsideJob,
    RouteNotFound,
    JobNotFound,
    ArtifactNotFound,
    WorkerNotFound,
    MethodNotAllowed,
    JobIdTaken,
    PayloadTooLarge,
    UnsupportedMediaType,
    InvalidSpec,
    InvalidParameter,
    InvalidArchive,
    Internal,
    StoreUnavailable,
    BusUnavailable,
    NotReady,
    TooManyStreams,
    StorageFull,
}

impl Kind {
    /// Status, stable code and title.
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedRequest => (StatusCode::BAD_REQUEST, "malformed_request", "Malformed request"),
            Self::PathOutsideJob => {
                (StatusCode::BAD_REQUEST, "path_outside_job", "Path leaves the job's folder")
            }
            Self::RouteNotFound => (StatusCode::NOT_FOUND, "route_not_found", "No such endpoint"),
            Self::JobNotFound => (StatusCode::NOT_FOUND, "job_not_found", "No such job"),
            Self::ArtifactNotFound => (StatusCode::NOT_FOUND, "artifact_not_found", "No such artifact"),
            Self::WorkerNotFound => (StatusCode::NOT_FOUND, "worker_not_found", "No such worker"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed here")
            }
            Self::JobIdTaken => (StatusCode::CONFLICT, "job_id_taken", "Job id taken"),
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large")
            }
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
            Self::InvalidSpec => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_spec", "Invalid job spec"),
            Self::InvalidParameter => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_parameter", "Invalid parameter")
            }
            Self::InvalidArchive => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_archive", "Invalid archive"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::StoreUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "Database out of reach")
            }
            Self::BusUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "bus_unavailable", "Bus out of reach"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "Not ready"),
            Self::TooManyStreams => {
                (StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "Too many log streams")
            }
            Self::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "storage_full", "Storage full"),
        }
    }
}

/// An error on its way to the user. It becomes a document where the request's id is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldProblem>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new() }
    }

    /// Wrong parameters, by their names.
    pub(crate) fn invalid_parameters(errors: Vec<FieldProblem>) -> Self {
        let detail =
            errors.iter().map(|e| format!("{} {}", e.pointer, e.detail)).collect::<Vec<_>>().join("; ");
        Self { kind: Kind::InvalidParameter, detail, errors }
    }

    /// A spec with wrong fields.
    pub(crate) fn invalid_spec(errors: Vec<FieldProblem>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields are invalid; `errors` lists them all", many.len()),
        };
        Self { kind: Kind::InvalidSpec, detail, errors }
    }

    /// There is no job of that id.
    pub(crate) fn no_such_job(job: &str) -> Self {
        Self::new(Kind::JobNotFound, format!("there is no job `{job}`"))
    }

    /// Something that only the operator can mend. The cause goes to the log, not to the user.
    pub(crate) fn internal(what: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = chain(error), "{what} failed");
        Self::new(Kind::Internal, format!("{what} failed; the service's log says why, under this request_id"))
    }

    /// What a plain error answer of the HTTP framework says, as a problem. The framework answers 400 only to
    /// parameters that are not what the document says.
    pub(crate) fn from_framework(status: StatusCode, text: String) -> Self {
        let (kind, detail) = match status {
            StatusCode::BAD_REQUEST => (Kind::InvalidParameter, text),
            StatusCode::NOT_FOUND => {
                (Kind::RouteNotFound, "there is no such endpoint; /docs lists all of them".to_owned())
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                (Kind::MethodNotAllowed, "this endpoint does not know that method; see /docs".to_owned())
            }
            StatusCode::PAYLOAD_TOO_LARGE => (Kind::PayloadTooLarge, text),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (Kind::UnsupportedMediaType, text),
            status if status.is_client_error() => (Kind::MalformedRequest, text),
            _ => (Kind::Internal, "the request failed; the service's log says why".to_owned()),
        };
        Self::new(kind, detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.kind.parts().0
    }

    /// The document, for a request of that id.
    pub(crate) fn render(self, request_id: &str) -> Response {
        let (status, code, title) = self.kind.parts();
        let document = ProblemDocument {
            kind: format!("urn:orcaops:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            code: code.to_owned(),
            request_id: request_id.to_owned(),
            errors: (!self.errors.is_empty()).then_some(self.errors),
        };
        let body = poem_openapi::types::ToJSON::to_json_string(&document);
        let mut response = Response::builder().status(status).content_type(MEDIA_TYPE).body(body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            tracing::warn!(error = chain(&error), "a request found the database out of reach");
            Self::new(Kind::StoreUnavailable, "the database is out of reach; try again in a moment")
        } else {
            Self::internal("the database", &error)
        }
    }
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        if error.is_transient() {
            tracing::warn!(error = chain(&error), "a request found the bus out of reach");
            Self::new(Kind::BusUnavailable, "the bus is out of reach; try again in a moment")
        } else {
            Self::internal("the bus", &error)
        }
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        let mut error = Self::from_response(Response::builder().status(problem.status()).finish());
        // Read back by `request`, which knows the request's id.
        error.set_data(problem);
        error
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        poem::Error::from(self).into_response()
    }
}

impl Payload for Problem {
    const CONTENT_TYPE: &'static str = MEDIA_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        ProblemDocument::schema_ref()
    }

    fn register(registry: &mut Registry) {
        <ProblemDocument as Type>::register(registry);
    }
}

impl poem_openapi::ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Any error: a problem document",
                status: None,
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: MEDIA_TYPE,
                    schema: <Self as Payload>::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }
}
