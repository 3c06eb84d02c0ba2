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
use sark_engine::{DecisionPath, Engine, Standing};

use crate::{
    parameters::is_escaped_well,
    question::begins_with_input,
    reply::Problem,
    rest::is_yaml,
    routes::{self, below},
    wire::Request,
};

/// Most paths remembered; a client that asks for more makes them be worked out anew.
const MAX_PATHS: usize = 4096;
/// Longest path remembered, as it is written in a request.
const MAX_PATH_BYTES: usize = 512;
/// Paths that are found without hashing their text: most clients ask for fewer.
const FIRST: usize = 8;

/// What is asked for by `POST /`, as by OPA unless it is configured otherwise.
const DEFAULT_DECISION: &str = "/system/main";

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Route {
    Health,
    /// A question in version 1 of the Data API.
    Data(Rc<Asked>),
    /// A question in version 0: the body is the input.
    Plain(Rc<Asked>),
    /// Many questions.
    Batch(Rc<Asked>),
    /// To whoever embeds the server: what the data plane cannot answer by itself.
    Elsewhere,
}

/// A decision path that was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub path: Arc<DecisionPath>,
    pub pace: Pace,
    /// What policies said of it last. The path remembers it too, for all threads, and more slowly.
    standing: RefCell<Option<Standing>>,
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
    /// Those that were asked for first. They stay.
    first: RefCell<Vec<(Box<str>, Rc<Asked>)>>,
    known: RefCell<HashMap<Box<str>, Rc<Asked>>>,
    /// Those asked for inside the process, which are not written as in a request.
    inside: RefCell<HashMap<Box<str>, Rc<Asked>>>,
    /// Writes of data go to the embedder.
    writes: bool,
}

impl Paths {
    /// None known yet; with `writes` those of data go elsewhere instead of being refused.
    pub(crate) fn new(writes: bool) -> Self {
        Self { writes, ..Self::default() }
    }

    /// Where `method` on `path` goes.
    pub(crate) fn route(&self, method: &str, path: &str) -> Result<Route, Problem> {
        if let Some(below) = below(path, "/v1/data")
            && matches!(method, "POST" | "GET")
        {
            return Ok(self.asked(below).map_or(Route::Elsewhere, Route::Data));
        }
        routes::check(method, path, self.writes)?;
        if !routes::asks(method) {
            return Ok(Route::Elsewhere);
        }
        if path == "/health" {
            return Ok(Route::Health);
        }
        if let Some(below) = below(path, "/v1/batch/data") {
            let unknown = || Problem::invalid(format!("the path {below:?} cannot be asked for in a batch"));
            return self.asked(below).map(Route::Batch).ok_or_else(unknown);
        }
        let plain = if method == "POST" && path == "/" { Some(DEFAULT_DECISION) } else { below(path, "/v0/data") };
        Ok(plain.and_then(|below| self.asked(below)).map_or(Route::Elsewhere, Route::Plain))
    }

    /// What a request asks for that is a question in version 1 of the Data API as most clients ask it: of which nothing but its path
    /// and its body says what its decision is, and that its body has an input.
    pub(crate) fn plainly(&self, request: &Request<'_>) -> Option<Rc<Asked>> {
        let head = &request.head;
        let is_plain = head.method == "POST" && head.query.is_empty() && head.encoding.is_empty() && !is_yaml(head);
        if !is_plain || !begins_with_input(request.body) {
            return None;
        }
        self.asked(below(head.path, "/v1/data")?)
    }

    /// What is asked for inside the process.
    pub(crate) fn inside(&self, path: &Arc<DecisionPath>) -> Rc<Asked> {
        let mut known = self.inside.borrow_mut();
        if let Some(asked) = known.get(path.joined()) {
            return Rc::clone(asked);
        }
        let asked = Asked::of(path);
        if known.len() >= MAX_PATHS {
            known.clear();
        }
        known.insert(path.joined().into(), Rc::clone(&asked));
        asked
    }

    /// What is asked for below `data`; None when only OPA can say whether that is a path at all.
    fn asked(&self, below: &str) -> Option<Rc<Asked>> {
        if let Some((_, asked)) = self.first.borrow().iter().find(|(first, _)| **first == *below) {
            return Some(Rc::clone(asked));
        }
        if let Some(asked) = self.known.borrow().get(below) {
            return Some(Rc::clone(asked));
        }
        let asked = Rc::new(Asked::read(below)?);
        let mut first = self.first.borrow_mut();
        if below.len() > MAX_PATH_BYTES {
            return Some(asked);
        }
        if first.len() < FIRST {
            first.push((below.into(), Rc::clone(&asked)));
        } else {
            let mut known = self.known.borrow_mut();
            if known.len() >= MAX_PATHS {
                known.clear();
            }
            known.insert(below.into(), Rc::clone(&asked));
        }
        Some(asked)
    }
}

impl Asked {
    /// A path that needs no reading; nothing is known of its pace.
    pub(crate) fn of(path: &Arc<DecisionPath>) -> Rc<Self> {
        Rc::new(Self::at(Arc::clone(path)))
    }

    fn at(path: Arc<DecisionPath>) -> Self {
        Self { path, pace: Pace::default(), standing: RefCell::default() }
    }

    /// What is known of it under the policies that serve now, shown to `see`.
    pub(crate) fn standing<T>(&self, engine: &Engine, see: impl FnOnce(&Standing) -> T) -> T {
        let mut standing = self.standing.borrow_mut();
        if let Some(known) = standing.as_ref().filter(|known| engine.is_current(known)) {
            return see(known);
        }
        see(standing.insert(engine.standing(&self.path)))
    }

    pub(crate) fn read(below: &str) -> Option<Self> {
        // Of the whole document OPA leaves out what is its own.
        if below.bytes().all(|byte| byte == b'/') {
            return None;
        }
        if below.contains('%') && (!is_escaped_well(below) || is_misread(below)) {
            return None;
        }
        let segments = below.split('/').filter(|segment| !segment.is_empty());
        let decoded: Result<Vec<String>, _> =
            segments.map(|segment| percent_decode_str(segment).decode_utf8().map(Cow::into_owned)).collect();
        let decoded = decoded.ok().filter(|decoded| decoded.iter().all(|segment| segment != "." && segment != ".."))?;
        let path = DecisionPath::from_segments(decoded).ok()?;
        Some(Self::at(Arc::new(path)))
    }
}

/// Whether OPA's server takes another part of the whole path for what is below `data`: it looks for the decoded text of what
/// is below in the decoded whole, and takes the first place where it stands.
fn is_misread(below: &str) -> bool {
    let Ok(decoded) = percent_decode_str(below.strip_prefix('/').unwrap_or(below)).decode_utf8() else {
        return true;
    };
    ["/v1/data/", "/v0/data/"].iter().any(|base| format!("{base}{decoded}").find(decoded.as_ref()) != Some(base.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_where_opa_sends_them() {
        let paths = Paths::default();
        let joined = |method, path| match paths.route(method, path) {
            Ok(Route::Data(asked)) => Ok(asked.path.joined().to_owned()),
            Ok(Route::Plain(asked)) => Ok(format!("v0 {}", asked.path.joined())),
            Ok(Route::Batch(asked)) => Ok(format!("batch {}", asked.path.joined())),
            Ok(Route::Health) => Ok("health".into()),
            Ok(Route::Elsewhere) => Ok("elsewhere".into()),
            Err(problem) => Err(problem.status),
        };
        for (method, path, goes) in [
            ("GET", "/health", Ok("health")),
            ("POST", "/v1/data/authz/allow", Ok("authz/allow")),
            ("POST", "/v1/data//authz/allow/", Ok("authz/allow")),
            ("GET", "/v1/data/a%20b/c", Ok("a b/c")),
            ("POST", "/v1/data", Ok("elsewhere")),
            ("POST", "/v1/data//", Ok("elsewhere")),
            ("HEAD", "/v1/data/a", Err(405)),
            ("POST", "/v0/data/a/b", Ok("v0 a/b")),
            ("POST", "/v0/data", Ok("elsewhere")),
            ("POST", "/", Ok("v0 system/main")),
            ("POST", "/v1/batch/data/a", Ok("batch a")),
            ("POST", "/v1/batch/data/a%22", Err(400)),
            ("GET", "/", Ok("elsewhere")),
            ("GET", "/v1/policies/a", Ok("elsewhere")),
            ("POST", "/v1/query", Ok("elsewhere")),
            ("DELETE", "/v1/data/a", Err(403)),
            ("PUT", "/v1/policies/a", Err(403)),
            ("GET", "/v0/data/a", Err(405)),
            ("POST", "/health", Err(405)),
            ("GET", "/v1/database", Err(404)),
            // Only OPA knows what it makes of these.
            ("GET", "/v1/data/a%22b", Ok("elsewhere")),
            ("GET", "/v1/data/a%2Fb", Ok("elsewhere")),
            ("GET", "/v1/data/%ff", Ok("elsewhere")),
            ("GET", "/v1/data/a/%EF%BB%BF", Ok("elsewhere")),
            ("GET", "/v1/data/%zz", Ok("elsewhere")),
            ("GET", "/v1/data/%2e%2e/policies", Ok("elsewhere")),
            ("GET", "/v1/data/../policies", Ok("elsewhere")),
            ("GET", "/v1/data/v%31", Ok("elsewhere")),
        ] {
            let goes = goes.map(str::to_owned);
            assert_eq!(joined(method, path), goes, "{method} {path}");
            assert_eq!(joined(method, path), goes, "{method} {path} again");
        }
    }

    #[test]
    fn writes_of_data_go_elsewhere_when_they_are_taken() {
        let paths = Paths::new(true);
        for (method, path) in [("PUT", "/v1/data/a"), ("PATCH", "/v1/data/a/b"), ("DELETE", "/v1/data/a")] {
            assert!(matches!(paths.route(method, path), Ok(Route::Elsewhere)), "{method} {path}");
        }
        assert_eq!(paths.route("PUT", "/v1/policies/a").unwrap_err().status, 403);
        assert!(matches!(paths.route("GET", "/v1/data/a"), Ok(Route::Data(_))));
    }

    #[test]
    fn a_path_keeps_what_is_known_of_it_among_the_first_and_behind_them() {
        let paths = Paths::default();
        let ask = |number: usize| paths.asked(&format!("/p{number}")).unwrap();
        let before: Vec<_> = (0..3 * FIRST).map(ask).collect();
        for (number, asked) in before.iter().enumerate() {
            assert!(Rc::ptr_eq(&ask(number), asked), "{number}");
            assert_eq!(asked.path.joined(), format!("p{number}"));
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
