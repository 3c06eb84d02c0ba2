//! Many questions in one request, as Enterprise OPA's batch API has them: each is in the arm of its own subject.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    answering::{Answering, Outset},
    asked::Asked,
    compression,
    dressing::{Look, Version},
    merging::Document,
    parameters::Parameters,
    question::Question,
    reply::{Problem, Reply, status},
    rest::is_yaml,
    wire::Request,
};

/// Most inputs of a batch.
const MAX_INPUTS: usize = 256;
/// So many are under way at a time, so that a batch neither fills the queue to baseline nor holds up a thread for long.
const AT_A_TIME: usize = 16;
/// So long at a time, then the other connections of the thread have their turn.
const TURN: Duration = Duration::from_millis(1);
/// The inputs of a batch, each with what is common, are together at most so many times as large as a body may be; so are its answers.
const MAX_BODIES: usize = 8;

#[derive(Deserialize)]
struct Batch<'b> {
    #[serde(borrow, default)]
    inputs: Option<BTreeMap<String, &'b RawValue>>,
    #[serde(borrow, default)]
    common_input: Option<&'b RawValue>,
}

/// The questions of a batch, of which none is made before its turn.
struct Questions<'b> {
    common: Option<Document<'b>>,
    inputs: Vec<(String, Document<'b>)>,
}

/// Whose turn it is: the batch's or that of the other connections of its thread.
struct Turn(Instant);

impl Answering {
    /// Answer a batch of questions about `asked`.
    pub(crate) async fn batch(&self, request: &Request<'_>, asked: &Rc<Asked>) -> Result<Reply, Problem> {
        let head = &request.head;
        let parameters = Parameters::read(head.query);
        if parameters.says_more() || is_yaml(head) {
            let message = "a batch is JSON, and of the query parameters only pretty is understood; ask /v1/data for more";
            return Err(Problem::invalid(message));
        }
        let limit = self.shared.options.max_body_bytes;
        let body = self.body(request)?;
        let mut turn = Turn(Instant::now());
        let questions = Questions::read(&body, limit, &mut turn).await?;
        let mut replies = Replies::new(limit);
        while replies.len() < questions.inputs.len() {
            let bodies = questions.some(replies.len(), limit);
            let asking = bodies.iter().map(|body| self.ask(asked, body, request));
            replies.add(all(asking.collect(), &mut turn).await)?;
            turn.give_way().await;
        }
        let ids = questions.inputs.iter().map(|(id, _)| id.as_str());
        let look = Look {
            version: Version::V1,
            pretty: parameters.pretty,
            warns: false,
            packs: compression::is_accepted(head.accept_encoding),
        };
        let reply = together(ids.zip(&replies.all));
        // Only what is 200 is dressed beyond compression, and a batch of several statuses is to look alike.
        let dressed = look.dress(Reply { status: status::OK, ..reply.clone() }, &asked.path);
        Ok(Reply { status: reply.status, ..dressed })
    }

    /// Its time is that from its turn on, wherever it stands in the batch.
    async fn ask(&self, asked: &Rc<Asked>, body: &[u8], request: &Request<'_>) -> Reply {
        let question = Question::new(Rc::clone(asked), body, request.head.subject).asked_by(request.asker());
        self.decide(question, Outset::now(), Look::PLAIN).await.unwrap_or_else(|problem| problem.reply())
    }
}

impl Turn {
    /// Let the other connections go on when they have waited long enough.
    async fn give_way(&mut self) {
        if self.0.elapsed() >= TURN {
            tokio::task::yield_now().await;
            self.0 = Instant::now();
        }
    }
}

impl<'b> Questions<'b> {
    /// The questions in `body`, all of which can be made of it, where a body may have `limit` bytes.
    async fn read(body: &'b [u8], limit: usize, turn: &mut Turn) -> Result<Self, Problem> {
        let batch: Batch<'_> = serde_json::from_slice(body).map_err(|error| {
            Problem::invalid(format!("body contains malformed batch, which is {{\"inputs\": {{id: input}}}}: {error}"))
        })?;
        let Some(inputs) = batch.inputs else {
            return Err(Problem::invalid("the batch has no inputs, as in {\"inputs\": {\"1\": {}}}"));
        };
        if inputs.len() > MAX_INPUTS {
            let message = format!("the batch has {} inputs; at most {MAX_INPUTS} are answered", inputs.len());
            return Err(Problem::invalid(message));
        }
        let most = limit.saturating_mul(MAX_BODIES);
        let lengths = inputs.values().map(|input| length(batch.common_input, input));
        if lengths.fold(0, usize::saturating_add) > most {
            let message = format!("the inputs of the batch, each with common_input, are larger than {most} bytes");
            return Err(too_large(message));
        }
        let common = batch.common_input.map(|common| Document::read(common.get()));
        turn.give_way().await;
        let mut read = Vec::with_capacity(inputs.len());
        for (id, input) in inputs {
            let input = match &common {
                Some(common) => {
                    let input = Document::read(input.get());
                    common.check_below(&input)?;
                    input
                }
                None => Document::plain(input.get()),
            };
            read.push((id, input));
            turn.give_way().await;
        }
        Ok(Self { common, inputs: read })
    }

    /// The next questions from the one of this number on, each as a body of version 1; no more together than a body may have,
    /// unless it is one.
    fn some(&self, first: usize, limit: usize) -> Vec<Vec<u8>> {
        let mut bodies: Vec<Vec<u8>> = Vec::new();
        let mut length = 0;
        for (_, input) in self.inputs.iter().skip(first).take(AT_A_TIME) {
            let mut body = b"{\"input\":".to_vec();
            match &self.common {
                Some(common) => common.write_below(input, &mut body),
                None => body.extend_from_slice(input.text().as_bytes()),
            }
            body.push(b'}');
            length += body.len();
            bodies.push(body);
            if length >= limit {
                break;
            }
        }
        bodies
    }
}

/// The request is read to its end, and the connection may go on.
fn too_large(message: String) -> Problem {
    Problem::new(status::TOO_LARGE, "invalid_parameter", message).staying()
}

/// Most bytes of an input below which `common` is merged.
fn length(common: Option<&RawValue>, input: &RawValue) -> usize {
    let is_object = |value: &&RawValue| value.get().starts_with('{');
    let added = common.filter(is_object).filter(|_| is_object(&input)).map_or(0, |common| common.get().len());
    input.get().len().saturating_add(added)
}

/// The answers of a batch, as far as they are there.
struct Replies {
    all: Vec<Reply>,
    bytes: usize,
    most: usize,
}

impl Replies {
    const fn new(limit: usize) -> Self {
        Self { all: Vec::new(), bytes: 0, most: limit.saturating_mul(MAX_BODIES) }
    }

    fn len(&self) -> usize {
        self.all.len()
    }

    /// Add what may still be added; where they are too large together, none is given.
    fn add(&mut self, some: Vec<Reply>) -> Result<(), Problem> {
        self.bytes = some.iter().map(|reply| reply.body.len()).fold(self.bytes, usize::saturating_add);
        self.all.extend(some);
        if self.bytes > self.most {
            let message = format!("the answers of the batch are larger than {} bytes; ask for fewer at a time", self.most);
            return Err(too_large(message));
        }
        Ok(())
    }
}

/// One answer of many: 200 or 500 when all are, else 207 with the status of each.
fn together<'a>(replies: impl Iterator<Item = (&'a str, &'a Reply)> + Clone) -> Reply {
    let all_are = |status: u16| replies.clone().all(|(_, reply)| reply.status == status);
    let (status, is_mixed) = if all_are(status::OK) {
        (status::OK, false)
    } else if all_are(status::INTERNAL) {
        (status::INTERNAL, false)
    } else {
        (status::MIXED, true)
    };
    let mut body = b"{\"responses\":{".to_vec();
    for (number, (id, reply)) in replies.enumerate() {
        if number > 0 {
            body.push(b',');
        }
        body.extend(serde_json::to_vec(id).unwrap_or_default());
        body.push(b':');
        respond(&mut body, reply, is_mixed);
    }
    body.extend_from_slice(b"}}\n");
    Reply::json(status, body.into())
}

/// Add an answer as a member, with its status when the others have other ones.
fn respond(body: &mut Vec<u8>, reply: &Reply, is_mixed: bool) {
    let text = reply.body.trim_ascii();
    let Some(open) = text.strip_suffix(b"}").filter(|_| text.starts_with(b"{")).map(<[u8]>::trim_ascii_end) else {
        return body.extend_from_slice(br#"{"code":"internal_error","message":"the answer has an impossible shape"}"#);
    };
    if !is_mixed {
        return body.extend_from_slice(text);
    }
    let comma = if open == b"{" { "" } else { "," };
    body.extend_from_slice(open);
    body.extend_from_slice(format!("{comma}\"http_status_code\":\"{}\"}}", reply.status).as_bytes());
}

/// The outcomes of futures that run side by side, in their order.
async fn all<T>(futures: Vec<impl Future<Output = T>>, turn: &mut Turn) -> Vec<T> {
    let mut running: Vec<Pin<Box<_>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = Vec::with_capacity(running.len());
    // Most are there at once, each after work of its own.
    for future in &mut running {
        done.push(match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        });
        turn.give_way().await;
    }
    poll_fn(|context| {
        for (future, outcome) in running.iter_mut().zip(&mut done) {
            if outcome.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *outcome = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Result<Vec<(String, String)>, u16> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let reading = async { Questions::read(body.as_bytes(), 1 << 20, &mut Turn(Instant::now())).await };
        let found = runtime.block_on(reading).map_err(|problem| problem.status)?;
        let ids = found.inputs.iter().map(|(id, _)| id.clone());
        let mut bodies = Vec::new();
        while bodies.len() < found.inputs.len() {
            bodies.extend(found.some(bodies.len(), 1 << 20));
        }
        Ok(ids.zip(bodies.into_iter().map(|body| String::from_utf8(body).unwrap())).collect())
    }

    #[test]
    fn what_is_common_is_merged_below_what_is_an_inputs_own() {
        let body = r#"{"common_input": {"a": {"x": 1, "y": [1]}, "n": 12345678901234567890.10},
                       "inputs": {"1": {"a": {"y": [2], "z": 3}}, "2": {"a": 5}, "3": "text", "4": null}}"#;
        let inputs: Vec<_> = asked(body).unwrap().into_iter().map(|(_, body)| body).collect();
        assert_eq!(
            inputs,
            [
                r#"{"input":{"a":{"x":1,"y":[2],"z":3},"n":12345678901234567890.10}}"#,
                r#"{"input":{"a":5,"n":12345678901234567890.10}}"#,
                r#"{"input":"text"}"#,
                r#"{"input":null}"#,
            ]
        );
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let many = format!(
            "{{\"inputs\":{{{}\"z\":1}}}}",
            (0..MAX_INPUTS).map(|n| format!("\"{n}\":1,")).collect::<Vec<_>>().concat()
        );
        let deep = format!("{{\"common_input\":{0},\"inputs\":{{\"1\":{0}}}}}", "{\"a\":".repeat(101) + "1" + &"}".repeat(101));
        for body in ["", "[]", "{}", r#"{"inputs":[]}"#, r#"{"inputs":{"a":}}"#, r#"{"inputs":{}} x"#, &many, &deep] {
            assert_eq!(asked(body), Err(400), "{body}");
        }
        assert_eq!(asked(r#"{"inputs":{}}"#), Ok(vec![]));
    }

    #[test]
    fn inputs_are_bounded_with_what_is_common_and_made_a_few_at_a_time() {
        // Given: something common that may come with eight inputs, and not with nine
        let (limit, padding) = (10_000, "x".repeat(9_980));
        let body = |inputs: usize| {
            let inputs: Vec<_> = (0..inputs).map(|number| format!("\"{number:03}\":{{\"n\":1}}")).collect();
            format!("{{\"common_input\":{{\"p\":\"{padding}\"}},\"inputs\":{{{}}}}}", inputs.join(","))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = |body: &str| {
            let reading = async { Questions::read(body.as_bytes(), limit, &mut Turn(Instant::now())).await };
            runtime.block_on(reading).map(|questions| questions.some(0, limit).len())
        };
        // When, then: one is made at a time; nine are refused by a sentence that tells the limit
        assert_eq!(read(&body(8)), Ok(1));
        let problem = read(&body(9)).unwrap_err();
        assert_eq!((problem.status, problem.reply().closes), (413, false));
        assert!(problem.message.contains("80000 bytes"), "{}", problem.message);
    }

    #[test]
    fn answers_beyond_the_limit_are_none() {
        let reply = || Reply::json(status::OK, vec![b'x'; 50].into());
        let mut replies = Replies::new(100);
        assert_eq!(replies.add((0..16).map(|_| reply()).collect()), Ok(()));
        let problem = replies.add(vec![reply()]).unwrap_err();
        assert_eq!(problem.status, 413);
        assert!(problem.message.contains("800 bytes"), "{}", problem.message);
    }

    #[test]
    fn statuses_are_told_when_they_differ() {
        let good = Reply::json(status::OK, sark_engine::Body::fixed(b"{\"result\":true}\n"));
        let none = Reply::json(status::OK, sark_engine::Body::fixed(b"{}\n"));
        let bad = Problem::internal("x").reply();
        let of = |replies: &[&Reply]| {
            let reply = together(["a", "b\""].into_iter().zip(replies.iter().copied()));
            (reply.status, serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap())
        };
        let (status, body) = of(&[&good, &none]);
        assert_eq!((status, body), (200, serde_json::json!({"responses": {"a": {"result": true}, "b\"": {}}})));
        let (status, body) = of(&[&bad, &none]);
        assert_eq!((status, &body["responses"]["a"]["http_status_code"]), (207, &"500".into()));
        assert_eq!(body["responses"]["b\""], serde_json::json!({"http_status_code": "200"}));
        assert_eq!(of(&[&bad, &bad]).0, 500);
    }
}
