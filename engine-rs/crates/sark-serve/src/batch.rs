//! Many questions in one request, as Enterprise OPA's batch API has them: each is in the arm of its own subject.

use std::{collections::BTreeMap, future::Future, pin::Pin, rc::Rc, task::Poll, time::Instant};

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    answering::Answering,
    asked::Asked,
    compression,
    dressing::{Look, Version},
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
/// Deepest nesting of members that are merged.
const MAX_DEPTH: usize = 100;

#[derive(Deserialize)]
struct Batch<'b> {
    #[serde(borrow, default)]
    inputs: Option<BTreeMap<String, &'b RawValue>>,
    #[serde(borrow, default)]
    common_input: Option<&'b RawValue>,
}

type Members = BTreeMap<String, Box<RawValue>>;

impl Answering {
    /// Answer a batch of questions about `asked`.
    pub(crate) async fn batch(&self, request: &Request<'_>, asked: &Rc<Asked>) -> Result<Reply, Problem> {
        let head = &request.head;
        let parameters = Parameters::read(head.query);
        if parameters.says_more() || is_yaml(head) {
            let message = "a batch is JSON, and of the query parameters only pretty is understood; ask /v1/data for more";
            return Err(Problem::invalid(message));
        }
        let body = self.body(request)?;
        let bodies = questions(&body)?;
        let mut replies = Vec::with_capacity(bodies.len());
        for some in bodies.chunks(AT_A_TIME) {
            let asking = some.iter().map(|(_, body)| self.ask(asked, body, request));
            replies.extend(all(asking.collect()).await);
            tokio::task::yield_now().await;
        }
        let ids = bodies.iter().map(|(id, _)| id.as_str());
        let look = Look {
            version: Version::V1,
            pretty: parameters.pretty,
            warns: false,
            packs: compression::is_accepted(head.accept_encoding),
        };
        let reply = together(ids.zip(&replies));
        // Only what is 200 is dressed beyond compression, and a batch of several statuses is to look alike.
        let dressed = look.dress(Reply { status: status::OK, ..reply.clone() }, &asked.path);
        Ok(Reply { status: reply.status, ..dressed })
    }

    async fn ask(&self, asked: &Rc<Asked>, body: &[u8], request: &Request<'_>) -> Reply {
        let question = Question::new(Rc::clone(asked), body, request.head.subject).asked_by(request.asker);
        self.decide(question, Instant::now()).await.unwrap_or_else(|problem| problem.reply())
    }
}

/// The questions of a batch by their ids, each as a body of version 1.
fn questions(body: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|error| {
        Problem::invalid(format!("body contains malformed batch, which is {{\"inputs\": {{id: input}}}}: {error}"))
    })?;
    let Some(inputs) = batch.inputs else {
        return Err(Problem::invalid("the batch has no inputs, as in {\"inputs\": {\"1\": {}}}"));
    };
    if inputs.len() > MAX_INPUTS {
        return Err(Problem::invalid(format!("the batch has {} inputs; at most {MAX_INPUTS} are answered", inputs.len())));
    }
    let question = |(id, input): (String, &RawValue)| {
        let merged = batch.common_input.map(|common| merged(common, input, 0)).transpose()?;
        let text = merged.as_deref().unwrap_or(input).get();
        Ok((id, format!("{{\"input\":{text}}}").into_bytes()))
    };
    inputs.into_iter().map(question).collect()
}

/// `own` over `common`: objects are merged member by member, of everything else `own` counts.
fn merged(common: &RawValue, own: &RawValue, depth: usize) -> Result<Box<RawValue>, Problem> {
    if depth > MAX_DEPTH {
        return Err(Problem::invalid(format!("common_input and an input are alike for more than {MAX_DEPTH} levels")));
    }
    let (Some(mut members), Some(own_members)) = (members(common)?, members(own)?) else {
        return Ok(own.to_owned());
    };
    for (key, value) in own_members {
        let value = match members.get(&key) {
            Some(below) => merged(below, &value, depth + 1)?,
            None => value,
        };
        members.insert(key, value);
    }
    to_raw_value(&members).map_err(|error| Problem::internal(error.to_string()))
}

/// The members of an object; None of anything else.
fn members(value: &RawValue) -> Result<Option<Members>, Problem> {
    if !value.get().starts_with('{') {
        return Ok(None);
    }
    let read = serde_json::from_str(value.get());
    read.map(Some).map_err(|error| Problem::invalid(format!("body contains malformed input document: {error}")))
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
        body.extend(response(reply, is_mixed));
    }
    body.extend_from_slice(b"}}\n");
    Reply::json(status, body.into())
}

/// An answer as a member, with its status when the others have other ones.
fn response(reply: &Reply, is_mixed: bool) -> Vec<u8> {
    let text = reply.body.trim_ascii();
    let Some(open) = text.strip_suffix(b"}").filter(|_| text.starts_with(b"{")).map(<[u8]>::trim_ascii_end) else {
        return br#"{"code":"internal_error","message":"the answer has an impossible shape"}"#.to_vec();
    };
    if !is_mixed {
        return text.to_vec();
    }
    let comma = if open == b"{" { "" } else { "," };
    [open, format!("{comma}\"http_status_code\":\"{}\"}}", reply.status).as_bytes()].concat()
}

/// The outcomes of futures that run side by side, in their order.
async fn all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<Pin<Box<_>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
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
        let found = questions(body.as_bytes()).map_err(|problem| problem.status)?;
        Ok(found.into_iter().map(|(id, body)| (id, String::from_utf8(body).unwrap())).collect())
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
