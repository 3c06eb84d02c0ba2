//! Who answers for an entrypoint is known when the policy is loaded.

#![allow(clippy::unwrap_used)] // a test may fail loudly, its helpers too

use sark_engine::{DecisionPath, Module, Policies, ServedBy};

const SOURCE: &str = r#"package authz
default allow := false
allow if input.admin
remote := fetched(input.url)
fetched(url) := http.send({"url": url, "method": "get"})
"#;

fn policies() -> Policies {
    Policies::compile(vec![Module { name: "authz.rego".into(), source: SOURCE.into() }], b"{}").unwrap()
}

#[test]
fn every_rule_with_a_value_has_a_verdict_and_a_function_has_none() {
    let verdicts = policies().verdicts();
    let paths: Vec<_> = verdicts.keys().map(String::as_str).collect();
    assert_eq!(paths, ["authz/allow", "authz/remote"]);
    assert_eq!(verdicts["authz/allow"].served_by, ServedBy::Rust);
    assert!(verdicts["authz/allow"].tier.is_some());
}

#[test]
fn a_path_that_reaches_a_missing_builtin_is_left_to_the_baseline_with_the_reason() {
    let policies = policies();
    for path in ["authz/remote", "authz"] {
        let verdict = policies.verdict(&DecisionPath::parse(path).unwrap());
        assert_eq!(verdict.served_by, ServedBy::Baseline, "{path}");
        assert_eq!(verdict.tier, None);
        assert!(verdict.reasons.iter().any(|reason| reason.contains("http.send")), "{:?}", verdict.reasons);
    }
}

#[test]
fn a_path_without_a_rule_is_answered_here() {
    let verdict = policies().verdict(&DecisionPath::parse("no/such/rule").unwrap());
    assert_eq!(verdict.served_by, ServedBy::Rust);
    assert!(verdict.reasons.is_empty());
}
