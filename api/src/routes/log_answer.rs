//! A job's log as an answer of its own: as text, or as JSON line by line.

use futures_util::TryStreamExt;
use poem::{Body, FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;

use super::logs::LogLine;
use crate::log_stream::{Format, Pieces};

/// Bytes as the job wrote them.
const TEXT: &str = "text/plain; charset=utf-8";
/// A JSON document a line.
const NDJSON: &str = "application/x-ndjson";

/// How the client wants to have the log: JSON if it says so, else text.
pub(crate) struct LogFormat(pub(crate) Format);

impl<'a> FromRequest<'a> for LogFormat {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let accept = request.headers().get_all("accept");
        let ranges: Vec<&str> = accept.iter().filter_map(|value| value.to_str().ok()).collect();
        Ok(Self(negotiate(&ranges.join(","))))
    }
}

/// The format that `Accept` prefers; text when both are as welcome.
fn negotiate(accept: &str) -> Format {
    let weight = |exact: &str, family: &str| {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let level = match name.as_str() {
                name if name == exact => 2,
                name if name == family => 1,
                "*/*" => 0,
                _ => return None,
            };
            let q = parts.find_map(|p| p.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
            Some((level, q))
        });
        ranges.max_by_key(|(level, _)| *level).map_or(0.0, |(_, q)| q)
    };
    if weight(NDJSON, "application/*") > weight("text/plain", "text/*") { Format::Json } else { Format::Text }
}

/// A log, as its pieces come.
pub(crate) struct LogAnswer(Response);

impl LogAnswer {
    /// Answers with these pieces. Where they break off, so does the connection: its client must not take what it
    /// has for the whole.
    pub(crate) fn new(format: Format, pieces: Pieces) -> Self {
        // The HTTP framework goes on with a connection of which a body failed, and ends that body as if it were
        // whole. Unwinding ends the connection's task and nothing else.
        let body = Body::from_bytes_stream(pieces.inspect_err(|error| {
            tracing::warn!(%error, "an answer breaks off");
            std::panic::resume_unwind(Box::new("an answer breaks off"));
        }));
        let response = Response::builder()
            .content_type(if format == Format::Json { NDJSON } else { TEXT })
            .header("vary", "accept")
            .header("cache-control", "no-cache")
            // What a job prints is never a page.
            .header("x-content-type-options", "nosniff")
            .body(body);
        Self(response)
    }
}

impl IntoResponse for LogAnswer {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for LogAnswer {
    fn meta() -> MetaResponses {
        let text = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let content = vec![
            MetaMediaType { content_type: TEXT, schema: text },
            MetaMediaType { content_type: NDJSON, schema: LogLine::schema_ref() },
        ];
        let log = MetaResponse {
            description: "The log",
            status: Some(200),
            status_range: None,
            content,
            headers: vec![],
        };
        MetaResponses { responses: vec![log] }
    }

    fn register(registry: &mut Registry) {
        <LogLine as Type>::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        for text in
            ["", "*/*", "text/plain", "text/html, */*;q=0.8", "application/json", "application/x-ndjson;q=0"]
        {
            assert_eq!(negotiate(text), Format::Text, "{text}");
        }
        for json in
            ["application/x-ndjson", "Application/X-NDJSON, text/plain;q=0.5", "application/*, */*;q=0.1"]
        {
            assert_eq!(negotiate(json), Format::Json, "{json}");
        }
    }
}
