//! Where requests go, and what is remembered about each decision path.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use percent_encoding::percent_decode_str;
use sark_engine::DecisionPath;

use crate::reply::{Problem, status};

/// Most paths remembered; a client that asks for more makes them be worked out anew.
const MAX_PATHS: usize = 4096;
/// Longest path remembered, as it is written in a request.
const MAX_PATH_BYTES: usize = 512;

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Route {
    Health,
    Data(Rc<Asked>),
}

/// A decision path that was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub path: Arc<DecisionPath>,
    pub pace: Pace,
}

/// How long evaluations of a path take.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// A mean in which the last evaluations count most, so that a path that becomes fast is taken for fast again soon.
    mean: Cell<Duration>,
}

impl Pace {
    /// Whether the next evaluation is likely to take longer than `limit`.
    pub(crate) fn is_slower_than(&self, limit: Duration) -> bool {
        self.mean.get() > limit
    }

    /// An evaluation took so long.
    pub(crate) fn took(&self, time: Duration) {
        self.mean.set(self.mean.get() * 3 / 4 + time / 4);
    }

    /// An evaluation was stopped at `limit`; nobody knows how long it would have taken.
    pub(crate) fn exceeded(&self, limit: Duration) {
        self.mean.set(self.mean.get().max(limit * 4));
    }
}

/// The paths asked for on one thread.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    known: RefCell<HashMap<Box<str>, Rc<Asked>>>,
}

impl Paths {
    /// Where `method` on `path` goes.
    pub(crate) fn route(&self, method: &str, path: &str) -> Result<Route, Problem> {
        let Some(below) = path.strip_prefix("/v1/data").filter(|below| below.is_empty() || below.starts_with('/')) else {
            return elsewhere(method, path);
        };
        if method != "POST" && method != "GET" {
            return Err(not_allowed(method, path));
        }
        if let Some(asked) = self.known.borrow().get(below) {
            return Ok(Route::Data(Rc::clone(asked)));
        }
        let asked = Rc::new(Asked::read(below)?);
        if below.len() <= MAX_PATH_BYTES {
            let mut known = self.known.borrow_mut();
            if known.len() >= MAX_PATHS {
                known.clear();
            }
            known.insert(below.into(), Rc::clone(&asked));
        }
        Ok(Route::Data(asked))
    }
}

impl Asked {
    pub(crate) fn read(below: &str) -> Result<Self, Problem> {
        let segments = below.split('/').filter(|segment| !segment.is_empty());
        let decoded: Result<Vec<String>, _> =
            segments.map(|segment| percent_decode_str(segment).decode_utf8().map(Cow::into_owned)).collect();
        let decoded = decoded.map_err(|_| Problem::invalid("the path is not UTF-8 after percent-decoding"))?;
        let path = DecisionPath::from_segments(decoded).map_err(|error| Problem::invalid(error.to_string()))?;
        Ok(Self { path: Arc::new(path), pace: Pace::default() })
    }
}

fn elsewhere(method: &str, path: &str) -> Result<Route, Problem> {
    if path != "/health" {
        let message = format!("no such endpoint: {path:?}; decisions are asked for at /v1/data/<path>");
        return Err(Problem::new(status::NOT_FOUND, "resource_not_found", message));
    }
    if method == "GET" { Ok(Route::Health) } else { Err(not_allowed(method, path)) }
}

fn not_allowed(method: &str, path: &str) -> Problem {
    let message = format!("method {method} is not allowed on {path}; use POST or GET on /v1/data/<path>, GET on /health");
    Problem::new(status::METHOD_NOT_ALLOWED, "invalid_operation", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_where_opa_sends_them() {
        let paths = Paths::default();
        let joined = |method, path| match paths.route(method, path) {
            Ok(Route::Data(asked)) => Ok(asked.path.joined().to_owned()),
            Ok(Route::Health) => Ok("health".into()),
            Err(problem) => Err(problem.status),
        };
        for (method, path, goes) in [
            ("GET", "/health", Ok("health")),
            ("POST", "/v1/data/authz/allow", Ok("authz/allow")),
            ("POST", "/v1/data//authz/allow/", Ok("authz/allow")),
            ("GET", "/v1/data/a%20b/c", Ok("a b/c")),
            ("POST", "/v1/data", Ok("")),
            ("DELETE", "/v1/data/a", Err(405)),
            ("POST", "/health", Err(405)),
            ("GET", "/v1/database", Err(404)),
            ("GET", "/", Err(404)),
            ("GET", "/v1/data/a%22b", Err(400)),
            ("GET", "/v1/data/a%2Fb", Err(400)),
            ("GET", "/v1/data/%ff", Err(400)),
        ] {
            let goes = goes.map(str::to_owned);
            assert_eq!(joined(method, path), goes, "{method} {path}");
            assert_eq!(joined(method, path), goes, "{method} {path} again");
        }
    }

    #[test]
    fn paths_beyond_the_limit_make_room() {
        let paths = Paths::default();
        for number in 0..=MAX_PATHS {
            assert!(paths.route("GET", &format!("/v1/data/p{number}")).is_ok());
            assert!(paths.known.borrow().len() <= MAX_PATHS);
        }
    }

    #[test]
    fn a_path_is_slow_after_one_slow_evaluation_and_fast_after_some_fast_ones() {
        let (pace, limit) = (Pace::default(), Duration::from_millis(2));
        pace.took(Duration::from_micros(10));
        assert!(!pace.is_slower_than(limit));
        pace.exceeded(limit);
        pace.took(Duration::from_millis(300));
        assert!(pace.is_slower_than(limit));
        let fast = (0..100).position(|_| {
            pace.took(Duration::from_micros(10));
            !pace.is_slower_than(limit)
        });
        assert!(fast.is_some_and(|times| times < 30), "{fast:?}");
    }
}
