//! Request and answer bodies that are not plain JSON of a known type.

use orcaops_common::domain::job::JobSpec;
use poem::error::ReadBodyError;
use poem::{Body, FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::registry::{
    MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};

use crate::problem::{FieldProblem, Kind, Problem};

/// The largest body of a submission, in bytes.
const MAX_SUBMISSION: usize = 1024 * 1024;
const JSON: &str = "application/json";
const TAR: &str = "application/x-tar";
const BYTES: &str = "application/octet-stream";

/// A job spec, with all that is wrong with it found at once.
pub(crate) struct SpecBody(pub(crate) JobSpec);

impl<'a> ApiExtractor<'a> for SpecBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <JobSpec as Type>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: JSON, schema: JobSpec::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        check_media_type(
            request,
            |kind| kind == JSON || (kind.starts_with("application/") && kind.ends_with("+json")),
            JSON,
        )?;
        let bytes = match body.take()?.into_bytes_limit(MAX_SUBMISSION).await {
            Ok(bytes) => bytes,
            Err(ReadBodyError::PayloadTooLarge) => {
                let detail =
                    format!("a job spec may have at most {MAX_SUBMISSION} bytes; upload large inputs");
                return Err(Problem::new(Kind::PayloadTooLarge, detail).into());
            }
            Err(_) => return Err(Problem::new(Kind::MalformedRequest, "the request broke off").into()),
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
            Problem::new(Kind::MalformedRequest, format!("the body is not JSON: {error}"))
        })?;
        let spec = JobSpec::from_json(&value).map_err(|invalid| {
            let field = |e: orcaops_common::domain::parse::FieldError| FieldProblem {
                pointer: e.pointer,
                detail: e.message,
            };
            Problem::invalid_spec(invalid.errors.into_iter().map(field).collect())
        })?;
        Ok(Self(spec))
    }
}

/// A tar, as it comes in.
pub(crate) struct TarBody(pub(crate) Body);

impl<'a> ApiExtractor<'a> for TarBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let content =
            [TAR, BYTES].map(|content_type| MetaMediaType { content_type, schema: bytes_schema() }).into();
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        check_media_type(request, |kind| kind == TAR || kind == BYTES, TAR)?;
        Ok(Self(body.take()?))
    }
}

/// The length that the request announces, if it does.
pub(crate) struct ContentLength(pub(crate) Option<u64>);

impl<'a> FromRequest<'a> for ContentLength {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(request.header("content-length").and_then(|length| length.parse().ok())))
    }
}

/// The version of a file that the client has already, if it says so.
pub(crate) struct IfNoneMatch(pub(crate) Option<String>);

impl<'a> FromRequest<'a> for IfNoneMatch {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(request.header("if-none-match").map(str::to_owned)))
    }
}

/// A missing media type is taken for the right one, as command-line clients often leave it out.
fn check_media_type(request: &Request, allowed: impl Fn(&str) -> bool, wanted: &str) -> Result<(), Problem> {
    let Some(given) = request.content_type() else { return Ok(()) };
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if allowed(&kind) {
        return Ok(());
    }
    let detail = format!("the body is `{kind}`; send it as `{wanted}`");
    Err(Problem::new(Kind::UnsupportedMediaType, detail))
}

fn bytes_schema() -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")))
}

/// A file.
pub(crate) struct FileAnswer(pub(crate) Response);

impl IntoResponse for FileAnswer {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for FileAnswer {
    fn meta() -> MetaResponses {
        let file = MetaMediaType { content_type: BYTES, schema: bytes_schema() };
        MetaResponses { responses: vec![ok("The file", file)] }
    }

    fn register(_registry: &mut Registry) {}
}

/// A stream of events whose data is of one type. The bytes are made by the sender.
pub(crate) struct EventsAnswer<T> {
    response: Response,
    data: std::marker::PhantomData<fn() -> T>,
}

impl<T> EventsAnswer<T> {
    /// Answers with a body that is an event stream already.
    pub(crate) fn new(body: Body) -> Self {
        let response = Response::builder()
            .content_type("text/event-stream")
            .header("cache-control", "no-cache")
            // Reverse proxies are asked not to hold events back.
            .header("x-accel-buffering", "no")
            .body(body);
        Self { response, data: std::marker::PhantomData }
    }
}

impl<T: Send> IntoResponse for EventsAnswer<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: Type> ApiResponse for EventsAnswer<T> {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema {
            items: Some(Box::new(T::schema_ref())),
            ..MetaSchema::new_with_format("array", "event-stream")
        }));
        let events = MetaMediaType { content_type: "text/event-stream", schema };
        MetaResponses { responses: vec![ok("Events", events)] }
    }

    fn register(registry: &mut Registry) {
        <T as Type>::register(registry);
    }
}

fn ok(description: &'static str, media: MetaMediaType) -> MetaResponse {
    MetaResponse { description, status: Some(200), status_range: None, content: vec![media], headers: vec![] }
}
