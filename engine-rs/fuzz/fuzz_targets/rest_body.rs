//! The body of a question: the input found in it is one document, the same that a full parser finds there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sark_engine::{
    DecisionPath,
    document::{ReadError, input_in, read_input, value_in},
};
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    if let Ok(path) = std::str::from_utf8(body).map_err(|_| ()).and_then(|text| DecisionPath::parse(text).map_err(|_| ())) {
        assert_eq!(DecisionPath::parse(path.joined()).as_ref(), Ok(&path));
    }
    let found = input_in(body);
    if let Ok(Some(place)) = &found {
        let text = &body[place.clone()];
        assert_eq!(value_in(text), Ok(0..text.len()));
        assert!(!matches!(read_input(text), Err(ReadError::Malformed(_))));
    }
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else { return };
    // Members of other spellings would count as well; a body without them has one answer.
    if members.keys().filter(|name| name.eq_ignore_ascii_case("input")).count() > 1 {
        return;
    }
    let theirs = members.iter().find(|(name, _)| name.eq_ignore_ascii_case("input")).map(|(_, value)| value);
    let ours = found.expect("a body that is JSON is read").map(|place| serde_json::from_slice::<Value>(&body[place]).unwrap());
    assert_eq!(ours.as_ref(), theirs.filter(|value| !value.is_null()));
});
