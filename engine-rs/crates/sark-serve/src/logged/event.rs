//! One decision as an event in OPA's format.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::value::RawValue;

use super::{
    Logged, Shape, arm_name,
    mask::{Hidden, Mask, Unreadable},
};
use crate::{compression::unpack, reply::status};

/// Longest packed answer that is unpacked for an event.
const MAX_UNPACKED: usize = 64 << 20;

/// What of a decision may have to be hidden.
#[derive(Debug, Clone)]
pub(super) struct Draft<'d> {
    input: Option<Cow<'d, RawValue>>,
    result: Option<Cow<'d, RawValue>>,
    error: Option<(String, String)>,
    decision_id: Option<String>,
    hidden: Hidden,
    /// Something of the input was hidden: a message could quote it.
    is_quiet: bool,
}

impl<'d> Draft<'d> {
    pub(super) fn of(logged: &'d Logged) -> Self {
        let answered = &logged.answered;
        let body: Cow<'d, [u8]> = if logged.is_packed {
            Cow::Owned(unpack(&answered.body, MAX_UNPACKED).unwrap_or_default())
        } else {
            Cow::Borrowed(&answered.body)
        };
        let mut draft =
            Self { input: None, result: None, error: None, decision_id: None, hidden: Hidden::default(), is_quiet: false };
        if let Some(input) = &answered.input {
            match document(input) {
                Ok(document) => draft.input = Some(document),
                Err(Unreadable) => draft.hidden.erased.push("/input".into()),
            }
        }
        if logged.is_input_unknown {
            draft.hidden.erased.push("/input".into());
        }
        draft.read_answer(&body, logged);
        draft
    }

    fn read_answer(&mut self, body: &[u8], logged: &Logged) {
        let is_ok = logged.answered.status == status::OK;
        if is_ok && logged.shape == Shape::Bare {
            self.result = document(body).ok().map(|document| Cow::Owned(document.into_owned()));
            return;
        }
        let text = String::from_utf8_lossy(body);
        let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap_or_default();
        let text_of = |raw: Option<Box<RawValue>>| raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        self.decision_id = text_of(members.remove("decision_id"));
        if is_ok {
            self.result = members.remove("result").map(Cow::Owned);
            return;
        }
        let code = text_of(members.remove("code")).unwrap_or_else(|| format!("status_{}", logged.answered.status));
        if code != "undefined_document" {
            self.error = Some((code, text_of(members.remove("message")).unwrap_or_default()));
        }
    }

    pub(super) fn mask(&mut self, mask: &Mask) -> Result<(), Unreadable> {
        let place = if mask.in_input { &mut self.input } else { &mut self.result };
        if let Some(document) = place.take() {
            *place = mask.apply(&document, &mut self.hidden)?.map(Cow::Owned);
        }
        self.is_quiet |= mask.in_input;
        Ok(())
    }

    /// Tell neither input nor result: what was to be hidden could not be found.
    pub(super) fn hide_all(&mut self) {
        self.input = None;
        self.result = None;
        self.is_quiet = true;
        self.hidden = Hidden { erased: vec!["/input".into(), "/result".into()], masked: vec![] };
    }
}

/// A JSON text that may hold bytes that are not Unicode: they become U+FFFD, as for the engine.
fn document(text: &[u8]) -> Result<Cow<'_, RawValue>, Unreadable> {
    match String::from_utf8_lossy(text) {
        Cow::Borrowed(text) => serde_json::from_str::<&RawValue>(text).map(Cow::Borrowed).map_err(|_| Unreadable),
        Cow::Owned(text) => serde_json::from_str::<Box<RawValue>>(&text).map(Cow::Owned).map_err(|_| Unreadable),
    }
}

/// The event as one line of JSON.
pub(super) fn written(logged: &Logged, draft: &Draft<'_>, labels: &BTreeMap<String, String>, bundles: Option<&str>) -> String {
    let mut line = Line::new();
    line.raw("labels", &json(labels));
    line.text("decision_id", &draft.decision_id.clone().unwrap_or_else(|| logged.id.text()));
    if let Some(bundles) = bundles {
        line.raw("bundles", bundles);
    }
    line.text("path", &logged.answered.path);
    for (name, document) in [("input", &draft.input), ("result", &draft.result)] {
        if let Some(document) = document {
            line.compact(name, document.get());
        }
    }
    for (name, places) in [("erased", &draft.hidden.erased), ("masked", &draft.hidden.masked)] {
        if !places.is_empty() {
            line.raw(name, &json(places));
        }
    }
    if let Some((code, message)) = &draft.error {
        let message = if draft.is_quiet { "" } else { message };
        line.raw("error", &json(&BTreeMap::from([("code", code.as_str()), ("message", message)])));
    }
    if !logged.asker.is_empty() {
        line.text("requested_by", &logged.asker);
    }
    line.text("timestamp", &DateTime::<Utc>::from(logged.at).to_rfc3339_opts(SecondsFormat::Nanos, true));
    line.raw("metrics", &format!("{{\"timer_server_handler_ns\":{}}}", logged.took.as_nanos()));
    line.raw("custom", &custom(logged));
    line.end()
}

/// What OPA has no member for.
fn custom(logged: &Logged) -> String {
    let answered = &logged.answered;
    let mut line = Line::new();
    line.text("arm", arm_name(logged));
    line.text("decider", answered.decider.as_str());
    line.text("outcome", answered.result.as_str());
    line.raw("status", &answered.status.to_string());
    line.raw("flag_revision", &logged.flag_revision.to_string());
    for (name, text) in
        [("rollout", logged.rollout.as_str()), ("policy_revision", answered.revision.as_str()), ("fallback", answered.fallback)]
    {
        if !text.is_empty() {
            line.text(name, text);
        }
    }
    line.end()
}

/// Keys and values of these kinds are always JSON.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

/// An object that is being written.
struct Line(String);

impl Line {
    fn new() -> Self {
        Self(String::with_capacity(512))
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        // Writing to a string cannot fail.
        let _ = write!(self.0, "\"{name}\":");
    }

    fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push_str(value);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &json(&value));
    }

    /// Without the white space between tokens: an event is one line.
    fn compact(&mut self, name: &str, value: &str) {
        self.name(name);
        compact(value, &mut self.0);
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn compact(text: &str, into: &mut String) {
    let (mut is_string, mut is_escaped) = (false, false);
    for character in text.chars() {
        if is_string {
            into.push(character);
            if is_escaped {
                is_escaped = false;
            } else if character == '\\' {
                is_escaped = true;
            } else if character == '"' {
                is_string = false;
            }
        } else if !matches!(character, ' ' | '\t' | '\r' | '\n') {
            is_string = character == '"';
            into.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        answered::{Answered, Decider},
        arms::Arm,
        events::RequestResult,
        logged::DecisionId,
    };

    fn logged(input: Option<&'static [u8]>, status: u16, body: &'static str) -> Logged {
        Logged {
            id: DecisionId(7),
            at: std::time::UNIX_EPOCH + Duration::from_millis(1500),
            took: Duration::from_micros(3),
            asker: Arc::from("127.0.0.1:999"),
            answered: Answered {
                path: "authz/allow".into(),
                input: input.map(bytes::Bytes::from_static),
                arm: Arm::Rust,
                decider: Decider::Engine,
                fallback: "",
                status,
                body: sark_engine::Body::fixed(body.as_bytes()),
                result: RequestResult::Allow,
                revision: "r1".into(),
            },
            shape: Shape::Enveloped,
            is_packed: false,
            is_passed: false,
            is_input_unknown: false,
            rollout: "shop/gateway".into(),
            flag_revision: 4,
        }
    }

    fn line(logged: &Logged, masks: &[&str]) -> (String, Value) {
        let mut draft = Draft::of(logged);
        for pointer in masks {
            draft.mask(&Mask::new(pointer, None, true).unwrap()).unwrap();
        }
        let labels = BTreeMap::from([("id".to_owned(), "x".to_owned())]);
        let text = written(logged, &draft, &labels, Some("{\"authz\":{\"revision\":\"7\"}}"));
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn an_event_has_the_members_of_opas() {
        let (text, event) = line(&logged(Some(b"{\"a\" : [1.0,\n \"x y\\\" z\"]}"), 200, "{\"result\":true}\n"), &[]);
        assert_eq!(
            event,
            json!({
                "labels": {"id": "x"},
                "decision_id": "00000000-0000-0000-0000-000000000007",
                "bundles": {"authz": {"revision": "7"}},
                "path": "authz/allow",
                "input": {"a": [1.0, "x y\" z"]},
                "result": true,
                "requested_by": "127.0.0.1:999",
                "timestamp": "1970-01-01T00:00:01.500000000Z",
                "metrics": {"timer_server_handler_ns": 3000},
                "custom": {"arm": "rust", "decider": "engine", "outcome": "allow", "status": 200, "flag_revision": 4,
                           "rollout": "shop/gateway", "policy_revision": "r1"},
            })
        );
        assert!(!text.contains('\n') && text.contains("[1.0,\"x y"), "{text}");
    }

    #[test]
    fn null_is_a_result_and_nothing_is_none() {
        assert_eq!(line(&logged(None, 200, "{\"result\":null}\n"), &[]).1.get("result"), Some(&Value::Null));
        let undefined = line(&logged(None, 200, "{}\n"), &[]).1;
        assert!(undefined.get("result").is_none() && undefined.get("input").is_none());
    }

    #[test]
    fn an_error_is_told_but_quotes_nothing_of_a_masked_input() {
        let body = "{\"code\":\"internal_error\",\"message\":\"cannot parse s3cret\"}";
        let failed = logged(Some(b"{\"p\":\"s3cret\"}"), 500, body);
        assert_eq!(line(&failed, &[]).1["error"], json!({"code": "internal_error", "message": "cannot parse s3cret"}));
        let (text, event) = line(&failed, &["/input/p"]);
        assert!(!text.contains("s3cret"), "{text}");
        assert_eq!((&event["error"]["code"], &event["erased"]), (&json!("internal_error"), &json!(["/input/p"])));
    }

    #[test]
    fn what_is_not_unicode_does_not_break_the_line() {
        let event = line(&logged(Some(b"{\"a\":\"\xff\"}"), 200, "{}\n"), &[]).1;
        assert_eq!(event["input"], json!({"a": "\u{fffd}"}));
    }

    #[test]
    fn a_bare_answer_is_the_result() {
        let bare = Logged { shape: Shape::Bare, ..logged(None, 200, "[1, 2]\n") };
        assert_eq!(line(&bare, &[]).1["result"], json!([1, 2]));
        let none = Logged { shape: Shape::Bare, ..logged(None, 404, "{\"code\":\"undefined_document\",\"message\":\"\"}") };
        let event = line(&none, &[]).1;
        assert!(event.get("error").is_none() && event.get("result").is_none());
    }
}
