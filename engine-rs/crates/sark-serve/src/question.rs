//! From an HTTP request to a question: where it goes, and what is asked.

use std::{borrow::Cow, ops::Range, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::{Body, Incoming},
    header::CONTENT_ENCODING,
};
use percent_encoding::percent_decode_str;
use sark_engine::{
    DecisionPath,
    document::{ReadError, input_in, value_in},
};

use crate::{options::ServerOptions, reply::Problem};

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Health,
    Data(DecisionPath),
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub path: DecisionPath,
    /// The path's segments joined by slashes.
    pub joined: String,
    /// Body as received.
    pub body: Bytes,
    /// Query string without its question mark.
    pub query: String,
    pub headers: HeaderMap,
    input: Input,
}

/// Where the input's text stands.
#[derive(Debug)]
enum Input {
    Absent,
    InBody(Range<usize>),
    InQuery(String, Range<usize>),
}

/// Parameters that change how an answer looks but not what is decided.
const COSMETIC: [&str; 6] = ["input", "pretty", "metrics", "instrument", "provenance", "explain"];

impl Question {
    /// Read and check the body.
    pub(crate) async fn read(request: Request<Incoming>, path: DecisionPath, options: &ServerOptions) -> Result<Self, Problem> {
        let is_get = request.method() == Method::GET;
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (head, incoming) = request.into_parts();
        let body = if is_get { Bytes::new() } else { read_body(&head.headers, incoming, options).await? };
        let input = match input_parameter(&query)? {
            Some(text) if is_get => checked_parameter(text)?,
            _ => input_of(&body)?,
        };
        Ok(Self { joined: path.joined(), path, body, query, headers: head.headers, input })
    }

    /// The input's JSON text; None when the request has none.
    pub(crate) fn input(&self) -> Option<&[u8]> {
        match &self.input {
            Input::Absent => None,
            Input::InBody(range) => self.body.get(range.clone()),
            Input::InQuery(text, range) => text.as_bytes().get(range.clone()),
        }
    }

    /// The first parameter that only an OPA server understands and that could change the decision.
    pub(crate) fn foreign_parameter(&self) -> Option<&str> {
        parameters(&self.query).map(|(name, _)| name).find(|name| !COSMETIC.contains(name))
    }
}

/// Where `method` on `path` goes.
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, Problem> {
    if path == "/health" {
        return if method == Method::GET { Ok(Route::Health) } else { Err(not_allowed(method, path)) };
    }
    let below = match path.strip_prefix("/v1/data") {
        Some(below) if below.is_empty() || below.starts_with('/') => below,
        _ => {
            let message = format!("no such endpoint: {path:?}; decisions are asked for at /v1/data/<path>");
            return Err(Problem::new(StatusCode::NOT_FOUND, "resource_not_found", message));
        }
    };
    if method != Method::POST && method != Method::GET {
        return Err(not_allowed(method, path));
    }
    let segments = below.split('/').filter(|segment| !segment.is_empty());
    let decoded: Result<Vec<String>, _> =
        segments.map(|segment| percent_decode_str(segment).decode_utf8().map(Cow::into_owned)).collect();
    let decoded = decoded.map_err(|_| Problem::invalid("the path is not UTF-8 after percent-decoding"))?;
    DecisionPath::from_segments(decoded).map(Route::Data).map_err(|error| Problem::invalid(error.to_string()))
}

fn not_allowed(method: &Method, path: &str) -> Problem {
    let message = format!("method {method} is not allowed on {path}; use POST or GET on /v1/data/<path>, GET on /health");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_operation", message)
}

async fn read_body(headers: &HeaderMap, incoming: Incoming, options: &ServerOptions) -> Result<Bytes, Problem> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::invalid("the body must not be compressed: send it without Content-Encoding"));
    }
    let limit = options.max_body_bytes;
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_parameter", format!("the body is larger than {limit} bytes"));
    if incoming.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match within(options.body_timeout, Limited::new(incoming, limit).collect()).await? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::invalid("the body ended before its time")),
    }
}

async fn within<T>(limit: Duration, reading: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::time::timeout(limit, reading).await.map_err(|_| {
        let message = format!("the body did not arrive within {} s", limit.as_secs_f64());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "invalid_parameter", message)
    })
}

fn input_of(body: &[u8]) -> Result<Input, Problem> {
    let place = input_in(body).map_err(|error| malformed("body", &error))?;
    Ok(place.map_or(Input::Absent, Input::InBody))
}

fn checked_parameter(text: String) -> Result<Input, Problem> {
    let place = value_in(text.as_bytes()).map_err(|error| malformed("query parameter input", &error))?;
    Ok(Input::InQuery(text, place))
}

fn malformed(place: &str, error: &ReadError) -> Problem {
    Problem::invalid(format!("{place} contains malformed input document: it is {error}"))
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn input_parameter(query: &str) -> Result<Option<String>, Problem> {
    let Some((_, value)) = parameters(query).find(|(name, _)| *name == "input") else {
        return Ok(None);
    };
    let spaced = value.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(|text| Some(text.into_owned())).map_err(|_| Problem::invalid("query parameter input is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(body: &str) -> Result<Option<&str>, StatusCode> {
        match input_of(body.as_bytes()) {
            Ok(Input::InBody(range)) => Ok(Some(&body[range])),
            Ok(_) => Ok(None),
            Err(problem) => Err(problem.status),
        }
    }

    #[test]
    fn the_input_is_the_text_of_its_member() {
        assert_eq!(input(r#"{"input": {"a": [1, 2]} }"#), Ok(Some(r#"{"a": [1, 2]}"#)));
        assert_eq!(input(r#"{"other":1,"input":[null]}"#), Ok(Some("[null]")));
        assert_eq!(input(r#" {"other":{"input":1}}"#), Ok(None));
    }

    #[test]
    fn a_null_input_is_none_as_for_opas_server() {
        assert_eq!(input(r#"{"input":null}"#), Ok(None));
        assert_eq!(input(" "), Ok(None));
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for body in ["[]", "1", r#"{"input":1"#, r#"["a"]"#, r#"{"input":tru}"#] {
            assert_eq!(input(body), Err(StatusCode::BAD_REQUEST), "{body}");
        }
    }

    #[test]
    fn requests_go_where_opa_sends_them() {
        let data = |path| Ok(Route::Data(DecisionPath::parse(path).unwrap()));
        assert_eq!(route(&Method::GET, "/health"), Ok(Route::Health));
        assert_eq!(route(&Method::POST, "/v1/data/authz/allow"), data("authz/allow"));
        assert_eq!(route(&Method::GET, "/v1/data/a%20b/c"), data("a b/c"));
        assert_eq!(route(&Method::POST, "/v1/data"), data(""));
        for (method, path, status) in [
            (Method::DELETE, "/v1/data/a", 405),
            (Method::POST, "/health", 405),
            (Method::GET, "/v1/database", 404),
            (Method::GET, "/", 404),
            (Method::GET, "/v1/data/a%22b", 400),
            (Method::GET, "/v1/data/a%2Fb", 400),
            (Method::GET, "/v1/data/%ff", 400),
        ] {
            assert_eq!(route(&method, path).unwrap_err().status, status, "{method} {path}");
        }
    }

    #[test]
    fn an_input_parameter_is_decoded() {
        assert_eq!(input_parameter("pretty&input=%7B%22a%22%3A+1%7D"), Ok(Some(r#"{"a": 1}"#.into())));
        assert_eq!(input_parameter("pretty=true"), Ok(None));
    }
}
