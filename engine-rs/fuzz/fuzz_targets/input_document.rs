//! Our reader beside serde_json's: nothing that is JSON is called malformed, what both read is equal, and what is written
//! is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sark_engine::{
    Value,
    document::{ReadError, read_input, value_in, write},
};

/// More digits, and serde_json rounds where we do not.
const SAFE_DIGITS: usize = 15;

fuzz_target!(|json: &[u8]| {
    let theirs = serde_json::from_slice::<Value>(json);
    let ours = read_input(json);
    let grammar = value_in(json);
    match &ours {
        Err(ReadError::Malformed(_)) => assert!(theirs.is_err() && grammar.is_err()),
        Err(ReadError::Unsupported(_)) => {}
        Ok(value) => {
            assert!(grammar.is_ok());
            let mut text = Vec::new();
            write(&mut text, value).expect("what was read has no undefined part");
            assert_eq!(read_input(&text).as_ref(), Ok(value));
            assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok() || text.len() > 300);
            if let Ok(theirs) = theirs
                && !has_long_number(json)
            {
                assert_eq!(value, &theirs);
            }
        }
    }
});

fn has_long_number(json: &[u8]) -> bool {
    let in_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    json.split(|byte| !in_number(byte)).any(|run| run.len() > SAFE_DIGITS || run.contains(&b'e') || run.contains(&b'E'))
}
