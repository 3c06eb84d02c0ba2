//! `uri.parse` and `uri.is_valid`, by the rules of Go's `net/url`.

use std::net::IpAddr;

use regorus::{Value, value::Object};

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{operand, string},
};

pub(super) const OWN: &[OwnBuiltin] =
    &[OwnBuiltin { name: "uri.is_valid", arity: 1, call: is_valid }, OwnBuiltin { name: "uri.parse", arity: 1, call: parse }];

/// Parts of a reference; empty strings for what is missing.
#[derive(Debug, Default)]
struct Parts {
    scheme: String,
    /// Name or address with the port.
    host: String,
    path: String,
    /// As written, if writing `path` the usual way gives something else.
    raw_path: String,
    raw_query: String,
    fragment: String,
}

/// An empty string is a reference, but no valid one.
fn is_valid(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(match operand(operands, 0) {
        Value::String(text) => !text.is_empty() && read(text).is_ok(),
        _ => false,
    }))
}

fn parse(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let text = string(operands, 0)?;
    let parts = read(text).map_err(|reason| BuiltinError(format!("parse {text:?}: {reason}")))?;
    let (hostname, port) = split_port(&parts.host);
    let raw_path = if parts.raw_path.is_empty() { &parts.path } else { &parts.raw_path };
    let fields = [
        ("scheme", parts.scheme.as_str()),
        ("hostname", hostname),
        ("port", port),
        ("path", &parts.path),
        ("raw_path", raw_path),
        ("raw_query", &parts.raw_query),
        ("fragment", &parts.fragment),
    ];
    let present = fields.into_iter().filter(|(_, value)| !value.is_empty());
    Ok(present.map(|(name, value)| (Value::from(name), Value::from(value))).collect::<Object>().into_value())
}

fn read(text: &str) -> Result<Parts, &'static str> {
    let (reference, fragment) = text.split_once('#').unwrap_or((text, ""));
    if reference.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("invalid control character in URL");
    }
    let mut parts = Parts { fragment: decoded(fragment, Place::Other)?, ..Parts::default() };
    if reference == "*" {
        "*".clone_into(&mut parts.path);
        return Ok(parts);
    }
    let (scheme, rest) = split_scheme(reference)?;
    parts.scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    query.clone_into(&mut parts.raw_query);
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            // A path without a root says nothing: `mailto:someone`.
            return Ok(parts);
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon");
        }
    }
    if let Some(after) = rest.strip_prefix("//")
        && (!scheme.is_empty() || !rest.starts_with("///"))
    {
        let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
        parts.host = host_of(&parts.scheme, authority)?;
        rest = path;
    }
    parts.path = decoded(rest, Place::Other)?;
    if encoded_path(&percent_decoded(rest)) != rest {
        rest.clone_into(&mut parts.raw_path);
    }
    Ok(parts)
}

fn split_scheme(reference: &str) -> Result<(&str, &str), &'static str> {
    let end = reference.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')));
    match end.map(|end| reference.split_at(end)) {
        Some(("", rest)) if rest.starts_with(':') => Err("missing protocol scheme"),
        Some((scheme, rest)) if rest.starts_with(':') && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            Ok((scheme, rest.get(1..).unwrap_or_default()))
        }
        _ => Ok(("", reference)),
    }
}

/// The host with its port; what names a user must be well formed and is dropped.
fn host_of(scheme: &str, authority: &str) -> Result<String, &'static str> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return host_with_port(scheme, authority);
    };
    let host = host_with_port(scheme, host)?;
    if !user.chars().all(|c| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c)) {
        return Err("invalid userinfo");
    }
    decoded(user, Place::Other).map(|_| host)
}

fn host_with_port(scheme: &str, host: &str) -> Result<String, &'static str> {
    match host.rfind('[') {
        Some(0) => return literal_with_port(host),
        Some(_) => return Err("invalid IP-literal"),
        None => {}
    }
    // Lists of hosts with ports are left alone, except where a URL cannot have them.
    let is_web = matches!(scheme, "http" | "https");
    let colon = if is_web { host.find(':') } else { host.rfind(':') };
    if !colon.is_none_or(|at| is_port(host.get(at..).unwrap_or_default())) {
        return Err("invalid port after host");
    }
    decoded(host, Place::Host)
}

/// An IPv6 address in brackets, perhaps with a zone.
fn literal_with_port(host: &str) -> Result<String, &'static str> {
    let (literal, port) = host.strip_prefix('[').unwrap_or(host).rsplit_once(']').ok_or("missing ']' in host")?;
    if !is_port(port) {
        return Err("invalid port after host");
    }
    let (address, zone) = literal.split_at(literal.find("%25").unwrap_or(literal.len()));
    let name = format!("{}{}", decoded(address, Place::Host)?, decoded(zone, Place::Zone)?);
    let (address, zone) = name.split_once('%').map_or((name.as_str(), None), |(address, zone)| (address, Some(zone)));
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) if zone != Some("") => Ok(format!("[{name}]{port}")),
        _ => Err("invalid IP-literal"),
    }
}

/// Empty, or a colon and digits, perhaps none.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn split_port(host: &str) -> (&str, &str) {
    let (name, port) = match host.rfind(':').map(|at| host.split_at(at)) {
        Some((name, port)) if is_port(port) => (name, port.get(1..).unwrap_or_default()),
        _ => (host, ""),
    };
    (name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name), port)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Only bytes beyond ASCII may be escaped, and few others written.
    Host,
    Zone,
    Other,
}

/// `text` without its percent escapes, if they are well formed and allowed in this place.
fn decoded(text: &str, place: Place) -> Result<String, &'static str> {
    const INVALID: &str = "invalid URL escape";
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let escaped = bytes.get(at + 1..at + 3).and_then(escaped_byte).ok_or(INVALID)?;
            let is_percent = escaped == b'%';
            let is_allowed = match place {
                Place::Other => true,
                Place::Host => escaped >= 0x80 || is_percent,
                Place::Zone => is_percent || escaped == b' ' || is_host_byte(escaped),
            };
            if !is_allowed {
                return Err(INVALID);
            }
            at += 3;
        } else {
            if place != Place::Other && byte.is_ascii() && !is_host_byte(*byte) {
                return Err("invalid character in host name");
            }
            at += 1;
        }
    }
    Ok(as_text(&percent_decoded(text)))
}

/// Every byte that is no UTF-8 becomes a replacement character, as when OPA writes JSON.
fn as_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

fn escaped_byte(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if let Some(escaped) = after.get(..2).filter(|_| *byte == b'%').and_then(escaped_byte) {
            bytes.push(escaped);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    bytes
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// A path as it is usually written.
fn encoded_path(path: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, json};
    use super::*;

    fn parsed(text: &str) -> Result<Value, BuiltinError> {
        called("uri.parse", &[Value::from(text)])
    }

    #[test]
    fn a_reference_is_taken_apart() {
        for (text, parts) in [
            (
                "HTTPS://me:secret@example.com:8080/a%2Fb?q=1#top",
                r#"{"scheme": "https", "hostname": "example.com", "port": "8080", "path": "/a/b", "raw_path": "/a%2Fb", "raw_query": "q=1", "fragment": "top"}"#,
            ),
            ("/a%20b", r#"{"path": "/a b", "raw_path": "/a b"}"#),
            ("mailto:me@example.com", r#"{"scheme": "mailto"}"#),
            (
                "http://[fe80::1%25en0]:80/",
                r#"{"scheme": "http", "hostname": "fe80::1%en0", "port": "80", "path": "/", "raw_path": "/"}"#,
            ),
            ("//host", r#"{"hostname": "host"}"#),
            ("///path", r#"{"path": "///path", "raw_path": "///path"}"#),
            ("*", r#"{"path": "*", "raw_path": "*"}"#),
            ("", "{}"),
            ("?", "{}"),
        ] {
            assert_eq!(parsed(text), Ok(json(parts)), "{text}");
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "http://a b/",
            "http://host:port/",
            "http://a:1:2/",
            "http://[::1",
            "http://[1.2.3.4]/",
            "http://us er@host/",
            "%zz",
            "a:b\n",
            ":x",
            "1:2/x",
            "http://%41/",
        ] {
            assert!(parsed(text).is_err(), "{text}");
            assert_eq!(called("uri.is_valid", &[Value::from(text)]), Ok(Value::from(false)), "{text}");
        }
    }

    #[test]
    fn an_empty_string_and_other_types_are_not_valid() {
        for value in ["\"\"", "1", "null"] {
            assert_eq!(called("uri.is_valid", &[json(value)]), Ok(Value::from(false)), "{value}");
        }
        assert!(called("uri.parse", &[json("1")]).is_err());
    }
}
