//! Requests on one connection, however they are framed, packed and cut on the way: each has one answer, in its turn, and that is
//! what the engine decides on its own input. And bytes that need not be requests at all: what comes back are answers, each well
//! formed, none says that anything broke, and cutting the bytes elsewhere changes none of them.
#![no_main]

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, LazyLock},
    thread,
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Policies,
    document::{input_in, value_in},
};
use sark_serve::{Answer, Flags, Job, RequestResult, Server, ServerOptions, ShadowLimits, SubjectRule, UnixSocket};
use serde::Deserialize;
use serde_json::value::RawValue;

const POLICY: &str = "package p\necho := input\npart := input.a\nkinds := {k: type_name(v) | some k, v in input}";
const PATHS: [&str; 4] = ["p/echo", "p/part", "p/kinds", "p/nothing"];
/// What the embedder answers to what the data plane only passes on.
const PASSED_ON: &str = "\"passed on\"";
const MOST_REQUESTS: usize = 8;
/// Far beyond what anything takes here: an answer that is not there by then does not come.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stand {
    engine: Arc<Engine>,
    socket: PathBuf,
}

static STAND: LazyLock<Stand> = LazyLock::new(|| {
    let module = Module { name: "p.rego".into(), source: POLICY.into() };
    let policies = Policies::compile(vec![module], b"{}").expect("a policy");
    let cache = CacheLimits { max_entries: 64, max_bytes: 64 << 10, ttl: Duration::from_secs(3_600) };
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(5)) };
    let engine = Arc::new(Engine::new(Arc::new(policies), options).expect("an engine"));
    let socket = std::env::temp_dir().join(format!("sark-fuzz-{}.sock", std::process::id()));
    let server = Server::new(Arc::clone(&engine), options_at(socket.clone()).check().expect("options")).expect("a server");
    let moved = Flags {
        rollout: "fuzz/http".into(),
        revision: 1,
        percentage: 100,
        rust_opa: true,
        rust_cache: true,
        ..Flags::default()
    };
    server.set_flags(moved).expect("flags");
    server.start().expect("a socket");
    thread::spawn(move || {
        loop {
            for job in server.take_jobs(64) {
                server.complete(job.id, embedder(&job));
            }
            thread::sleep(Duration::from_micros(200));
        }
    });
    Stand { engine, socket }
});

fn options_at(path: PathBuf) -> ServerOptions {
    ServerOptions {
        address: None,
        unix: Some(UnixSocket { path, mode: 0o600 }),
        in_process: false,
        workers: 1,
        max_body_bytes: 16 << 10,
        max_header_bytes: 64 << 10,
        idle_timeout: PATIENCE,
        header_timeout: PATIENCE,
        body_timeout: PATIENCE,
        write_timeout: PATIENCE,
        max_connections: 64,
        baseline_queue: 64,
        baseline_timeout: PATIENCE,
        inline_evaluation: Duration::from_millis(2),
        evaluation_threads: 1,
        evaluation_queue: 64,
        writes: false,
        subject: SubjectRule::new(None, ["/a"]).expect("a pointer"),
        shadow: ShadowLimits::default(),
    }
}

/// Whoever embeds the server: a question is answered with the input that was handed over, so that it shows.
fn embedder(job: &Job) -> Answer {
    let place = input_in(&job.body).ok().flatten();
    let input = place.map(|place| String::from_utf8_lossy(&job.body[place]).into_owned()).unwrap_or_default();
    let result = if job.passed.is_some() { PASSED_ON } else { input.as_str() };
    Answer {
        status: 200,
        body: Bytes::from(if result.is_empty() { "{}".to_owned() } else { format!("{{\"result\":{result}}}") }),
        result: RequestResult::Error,
        cache_control: "no-store".into(),
        headers: Vec::new(),
        keep_for: None,
        was_kept: false,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, rest)) = bytes.split_first() else { return };
    // How many bytes are sent at a time; none: all.
    let cut = usize::from(how >> 1) * 8;
    if how & 1 == 0 { questions(rest, cut) } else { anything(rest, cut) }
});

/// A question, and how it is asked.
struct Question<'b> {
    path: &'static str,
    body: &'b [u8],
    how: u8,
}

impl<'b> Question<'b> {
    /// The first byte says how the rest is asked.
    fn of(part: &'b [u8]) -> Option<Self> {
        let (how, body) = part.split_first()?;
        Some(Self { path: PATHS[usize::from(how & 3)], body, how: how >> 2 })
    }

    /// The input, where it is asked as a parameter.
    fn parameter(&self) -> Option<&'b str> {
        std::str::from_utf8(self.body).ok().filter(|_| self.how & 7 == 7)
    }

    fn request(&self, is_last: bool) -> Vec<u8> {
        let mut head = format!("/v1/data/{}", self.path);
        let mut body = Vec::new();
        if self.parameter().is_some() {
            head = format!("GET {head}?input={} HTTP/1.1\r\nHost: x\r\n", percent_encode(self.body, NON_ALPHANUMERIC));
        } else {
            head = format!("POST {head} HTTP/1.1\r\nHost: x\r\n");
            if self.how & 1 == 1 {
                let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
                packer.write_all(self.body).and_then(|()| packer.finish()).expect("memory").clone_into(&mut body);
                head.push_str("Content-Encoding: gzip\r\n");
            } else {
                self.body.clone_into(&mut body);
            }
            if self.how & 2 == 2 {
                head.push_str("Transfer-Encoding: chunked\r\n");
                body = in_chunks(&body, 1 + usize::from(self.how >> 3));
            } else {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
        }
        if is_last {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        [head.into_bytes(), body].concat()
    }

    /// The answer it must have: its status, and its result unless that is undefined.
    fn expected(&self) -> (u16, Option<String>) {
        let place = match self.parameter() {
            Some(text) if text.trim() == "null" => return (200, Some(PASSED_ON.to_owned())),
            Some(_) => value_in(self.body).map(Some),
            None if self.body.is_empty() => Ok(None),
            None => input_in(self.body),
        };
        let Ok(place) = place else { return (400, None) };
        let input = place.map(|place| &self.body[place]);
        let path = DecisionPath::parse(self.path).expect("a path");
        let result = match STAND.engine.evaluate(&path, input) {
            Ok(decision) => decision.result().map(<[u8]>::to_vec),
            // It is handed over, and comes back as it was handed over.
            Err(_) => input.map(<[u8]>::to_vec),
        };
        (200, result.map(|text| String::from_utf8(text).expect("JSON is text")))
    }
}

fn in_chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    for chunk in body.chunks(size) {
        text.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend(chunk);
        text.extend(b"\r\n");
    }
    text.extend(b"0\r\n\r\n");
    text
}

fn questions(bytes: &[u8], cut: usize) {
    let asked: Vec<Question<'_>> = bytes.split(|byte| *byte == 0).filter_map(Question::of).take(MOST_REQUESTS).collect();
    let Some(last) = asked.len().checked_sub(1) else { return };
    let text: Vec<u8> = asked.iter().enumerate().flat_map(|(number, question)| question.request(number == last)).collect();
    let answers = answers_in(&said(&text, cut, false));
    assert_eq!(answers.len(), asked.len(), "one answer for each question");
    for (question, (status, body)) in asked.iter().zip(answers) {
        let told = if status == 200 { result_in(&body) } else { None };
        assert_eq!((status, told), question.expected(), "{} {:?}", question.path, question.body.escape_ascii().to_string());
    }
}

fn anything(bytes: &[u8], cut: usize) {
    // Its answers tell a length and have no body, and which these are only the server knows.
    if bytes.windows(4).any(|name| name == b"HEAD") {
        return;
    }
    let [whole, pieces] = [0, cut.max(1)].map(|cut| answers_in(&said(bytes, cut, true)));
    // Who hangs up is not waited for, so that either may have the last answers or not.
    for (one, other) in whole.iter().zip(&pieces) {
        assert_eq!(one.0, other.0, "cutting the bytes elsewhere changes nothing");
    }
    for (status, body) in whole.iter().chain(&pieces) {
        assert_ne!(*status, 500, "{}", body.escape_ascii());
    }
}

/// All that the server says to `bytes`, sent `cut` at a time.
fn said(bytes: &[u8], cut: usize, hangs_up: bool) -> Vec<u8> {
    let mut client = UnixStream::connect(&STAND.socket).expect("the server listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    for piece in bytes.chunks(if cut == 0 { bytes.len().max(1) } else { cut }) {
        // A server that has said its last word need not hear the rest.
        if client.write_all(piece).is_err() {
            break;
        }
    }
    if hangs_up {
        let _ = client.shutdown(Shutdown::Write);
    }
    let mut answers = Vec::new();
    match client.read_to_end(&mut answers) {
        Ok(_) => answers,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => answers,
        Err(error) => panic!("no end of the answers: {error}, after {}", answers.escape_ascii()),
    }
}

/// Status and body of each answer. Panics where the bytes are anything else.
fn answers_in(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut answer = httparse::Response::new(&mut headers);
        let size = match answer.parse(bytes).expect("the head of an answer") {
            httparse::Status::Complete(size) => size,
            httparse::Status::Partial => panic!("half an answer: {}", bytes.escape_ascii()),
        };
        let status = answer.code.expect("a status");
        let written = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length = written
            .map_or(0, |header| std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok()).expect("a length"));
        assert!(written.is_some() || matches!(status, 100 | 204 | 304), "status {status} without a length");
        let body = bytes.get(size..size + length).expect("the whole body of an answer");
        if status != 100 {
            answers.push((status, body.to_vec()));
        }
        bytes = &bytes[size + length..];
    }
    answers
}

#[derive(Deserialize)]
struct Told<'b> {
    #[serde(borrow, default)]
    result: Option<&'b RawValue>,
}

fn result_in(body: &[u8]) -> Option<String> {
    let told: Told<'_> = serde_json::from_slice(body).expect("an answer of the Data API");
    told.result.map(|result| result.get().to_owned())
}
