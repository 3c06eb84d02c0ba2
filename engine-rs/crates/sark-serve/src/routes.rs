//! Endpoints of OPA's REST API, and the methods each takes.

use crate::reply::{Problem, status};

/// One endpoint.
struct Endpoint {
    path: &'static str,
    /// What is below the path belongs to it too.
    deep: bool,
    /// Methods taken, as the Allow header lists them.
    allow: &'static str,
    /// Methods that OPA has for it and that would change policies or data.
    writes: &'static [&'static str],
}

const READS: &str = "GET, HEAD";
const ASKS: &str = "GET, HEAD, POST";

const ENDPOINTS: [Endpoint; 11] = [
    Endpoint { path: "/", deep: false, allow: ASKS, writes: &[] },
    Endpoint { path: "/health", deep: true, allow: READS, writes: &[] },
    Endpoint { path: "/metrics", deep: false, allow: READS, writes: &[] },
    Endpoint { path: "/v0/data", deep: true, allow: "POST", writes: &[] },
    Endpoint { path: "/v1/batch/data", deep: true, allow: "POST", writes: &[] },
    Endpoint { path: "/v1/compile", deep: true, allow: ASKS, writes: &[] },
    Endpoint { path: "/v1/config", deep: false, allow: READS, writes: &[] },
    Endpoint { path: "/v1/data", deep: true, allow: "GET, POST", writes: &["PUT", "PATCH", "DELETE"] },
    Endpoint { path: "/v1/policies", deep: true, allow: READS, writes: &["PUT", "DELETE"] },
    Endpoint { path: "/v1/query", deep: false, allow: ASKS, writes: &[] },
    Endpoint { path: "/v1/status", deep: false, allow: READS, writes: &[] },
];

/// What is below `base` in `path`, with its slash; None when `path` is another one.
pub(crate) fn below<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `method` is one of those that ask; of the methods that [`check`] lets through, all others write.
pub(crate) fn asks(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "POST")
}

/// Refuse a path that is no endpoint, a method it does not take, and what writes: all of it, or policies alone when the
/// embedder takes `writes` of data.
pub(crate) fn check(method: &str, path: &str, writes: bool) -> Result<(), Problem> {
    let is_here =
        |endpoint: &&Endpoint| if endpoint.deep { below(path, endpoint.path).is_some() } else { path == endpoint.path };
    let Some(endpoint) = ENDPOINTS.iter().find(is_here) else {
        let message = format!("no such endpoint: {path:?}; decisions are asked for at /v1/data/<path>");
        return Err(Problem::new(status::NOT_FOUND, "resource_not_found", message));
    };
    if endpoint.allow.split(", ").any(|taken| taken == method) {
        return Ok(());
    }
    if endpoint.writes.contains(&method) {
        if writes && endpoint.path == "/v1/data" {
            return Ok(());
        }
        let message = "policies and data cannot be changed through the sidecar, for then its two arms would decide by different \
                       ones; change them where policies.directory or policies.bundle takes them from, and in OPA. Documents \
                       that writes.documents names may be written";
        return Err(Problem::new(status::FORBIDDEN, "invalid_operation", message));
    }
    let message = format!("method {method} is not allowed on {path}; use one of {}", endpoint.allow);
    Err(Problem::new(status::METHOD_NOT_ALLOWED, "invalid_operation", message).allowing(endpoint.allow))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &str, path: &str) -> u16 {
        check(method, path, false).map_or_else(|problem| problem.status, |()| status::OK)
    }

    #[test]
    fn each_endpoint_takes_its_methods_and_no_others() {
        for (method, path, expected) in [
            ("GET", "/", 200),
            ("POST", "/", 200),
            ("HEAD", "/v1/data/a", 405),
            ("GET", "/v1/policies/", 200),
            ("GET", "/v1/policies/a/b.rego", 200),
            ("POST", "/v1/batch/data/a", 200),
            ("GET", "/v1/batch/data/a", 405),
            ("GET", "/v0/data/a", 405),
            ("POST", "/health/live", 405),
            ("OPTIONS", "/v1/data", 405),
            ("GET", "/v1/queryx", 404),
            ("GET", "/v1/database", 404),
            ("GET", "/v1/query/x", 404),
            ("GET", "//", 404),
            ("GET", "*", 404),
        ] {
            assert_eq!(checked(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn nothing_that_writes_gets_through() {
        for (method, path) in [
            ("PUT", "/v1/data"),
            ("PUT", "/v1/data/a/b"),
            ("PATCH", "/v1/data/a"),
            ("DELETE", "/v1/data/a"),
            ("PUT", "/v1/policies/a"),
            ("DELETE", "/v1/policies/a"),
        ] {
            assert_eq!(checked(method, path), 403, "{method} {path}");
        }
        for (method, path, expected) in [
            ("PUT", "/v1/data/a/b", 200),
            ("PATCH", "/v1/data", 200),
            ("DELETE", "/v1/data/a", 200),
            ("PUT", "/v1/policies/a", 403),
            ("DELETE", "/v1/policies/a", 403),
            ("PUT", "/v0/data/a", 405),
            ("PATCH", "/v1/policies/a", 405),
            ("OPTIONS", "/v1/data/a", 405),
            ("PUT", "/v1/query", 405),
        ] {
            let status = check(method, path, true).map_or_else(|problem| problem.status, |()| status::OK);
            assert_eq!(status, expected, "{method} {path} when data is written");
        }
        for method in ["PUT", "PATCH", "DELETE", "get", "CONNECT", ""] {
            for endpoint in &ENDPOINTS {
                assert_ne!(checked(method, endpoint.path), 200, "{method} {}", endpoint.path);
            }
        }
    }
}
