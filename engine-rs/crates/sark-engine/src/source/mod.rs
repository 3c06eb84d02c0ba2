//! Parsing modules.

mod characters;
mod line;
mod nesting;
mod parts;
mod separated;
mod statements;
mod tokens;

pub(crate) use characters::without_mark;
pub(crate) use parts::{Outline, PartId, Parts, Reading};

use std::num::{NonZeroU32, NonZeroUsize};

use regorus::{
    PolicyLengthConfig, Source,
    unstable::{Module as Ast, Parser, Ref, Rule, RuleBody, RuleHead, Span},
};

use crate::{error::PolicyError, policies::RegoVersion};

/// Generated policies have long lines and big files; the sum is bounded by whoever reads them.
const LENGTHS: PolicyLengthConfig = PolicyLengthConfig {
    max_col: NonZeroU32::new(65_536).unwrap(),
    max_file_bytes: NonZeroUsize::new(64 << 20).unwrap(),
    max_lines: NonZeroUsize::new(2_000_000).unwrap(),
};

/// Parse a module's `text`.
fn parse_one(version: RegoVersion, name: &str, text: &str) -> Result<Ref<Ast>, PolicyError> {
    match parsed(version, false, name, text) {
        Err(error) if version == RegoVersion::V1 && error.0.contains(MISSING_BODY) => {
            let module = parsed(RegoVersion::V0, true, name, text)?;
            current(&module)?;
            Ok(module)
        }
        other => other,
    }
}

/// What regorus says of a function without body or value, as in `f("admin", _)`, which Rego has.
const MISSING_BODY: &str = "rule must have a body or assignment";

/// Refuse what Rego v1 has not, in a module that was read by the rules of v0 with the keywords of v1.
fn current(module: &Ast) -> Result<(), PolicyError> {
    for rule in &module.policy {
        let Rule::Spec { span, head, bodies } = rule.as_ref() else {
            continue;
        };
        let at = |reason: &str| PolicyError(format!("{}:{}:{}: {reason}", span.source.get_path(), span.line, span.col));
        let is_complete = match head {
            RuleHead::Compr { assign, .. } => assign.is_some() || !bodies.is_empty(),
            RuleHead::Func { .. } => true,
            RuleHead::Set { refr, key: Some(key), .. } => {
                between(refr.span(), refr.span().end, key.span().start).contains("contains")
            }
            RuleHead::Set { key: None, .. } => false,
        };
        if !is_complete {
            return Err(at(MISSING_BODY));
        }
        let without_if = |body: &RuleBody| {
            !body.query.stmts.is_empty()
                && !between(&body.span, body.span.start, body.query.span.start)
                    .trim_end_matches(['{', '"', '`', ' ', '\n', '\t', '\r'])
                    .ends_with("if")
        };
        if bodies.iter().any(without_if) {
            return Err(at("`if` keyword is required before rule body"));
        }
    }
    Ok(())
}

/// What stands between two places of a source, without the spaces around it.
fn between(span: &Span, start: u32, end: u32) -> &str {
    span.source.get_contents().get(start as usize..end as usize).unwrap_or_default().trim()
}

fn parsed(version: RegoVersion, keywords: bool, name: &str, text: &str) -> Result<Ref<Ast>, PolicyError> {
    let (name, text) = (name.to_owned(), separated::separated(text).into_owned());
    let source = Source::from_contents_with_limits(name, text, LENGTHS.max_file_bytes, LENGTHS.max_lines)
        .map_err(|error| refused(&error))?;
    let mut parser = Parser::new(&source).map_err(|error| refused(&error))?;
    parser.set_max_col(LENGTHS.max_col);
    match version {
        RegoVersion::V1 => parser.enable_rego_v1().map_err(|error| refused(&error))?,
        RegoVersion::V0 if keywords => {
            for keyword in ["if", "in", "contains", "every"] {
                parser.set_future_keyword(keyword, &None).map_err(|error| refused(&error))?;
            }
        }
        RegoVersion::V0 => {}
    }
    let mut module = parser.parse().map_err(|error| refused(&error))?;
    // The keywords are those of v1.
    module.rego_v1 |= keywords;
    Ok(Ref::new(module))
}

fn refused<E: AsRef<dyn std::error::Error + Send + Sync>>(error: &E) -> PolicyError {
    PolicyError(one_sentence(&error.as_ref().to_string()))
}

/// Turn `--> file:line:column | source | error: reason` over several lines into `file:line:column: reason`.
fn one_sentence(message: &str) -> String {
    let place = message.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let reason = message.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
    match (place, reason) {
        (Some(place), Some(reason)) => format!("{}: {}", place.trim(), reason.trim()),
        _ => message.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_over_several_lines_becomes_a_sentence() {
        let message = "\n--> a.rego:2:11\n  |\n2 | allow if {\n  |           ^\nerror: expecting expression";
        assert_eq!(one_sentence(message), "a.rego:2:11: expecting expression");
        assert_eq!(one_sentence("plain\n  words"), "plain words");
    }

    #[test]
    fn a_function_needs_neither_body_nor_value_and_all_else_stays_as_strict_as_rego_v1() {
        let parsed = |text: &str| parse_one(RegoVersion::V1, "p.rego", &format!("package p\n{text}"));
        for text in [
            "f(\"admin\", _)",
            "f(1)\ng := 1 if { f(1) } else := 2 if { true }\ni if f(1)\nh[1] contains \"x\" if \"a\" == input.x\nk[x] if some x in [1]",
        ] {
            assert!(parsed(text).is_ok(), "{text}");
        }
        for text in [
            "f(1)\np { true }",
            "f(1)\np",
            "f(1)\np[x] { x = 1 }",
            "f(1)\np[1]",
            "f(1)\np.q",
            "f(1)\np if { true } else { true }",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_module_that_does_not_parse_is_named() {
        let error = parse_one(RegoVersion::V1, "broken.rego", "package p\nallow if {").unwrap_err();
        assert!(error.0.starts_with("broken.rego:"), "{error}");
    }
}
