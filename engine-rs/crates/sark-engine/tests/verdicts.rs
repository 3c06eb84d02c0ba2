//! Who answers for an entrypoint is known when the policy is loaded.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

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

fn of_rule(rule: &str) -> Policies {
    let source = format!("package t\nf(x) := 1\ng(x, y) := 1\n{rule}\nother := p");
    let compiled = Policies::compile(vec![Module { name: "t.rego".into(), source }], b"{}");
    compiled.unwrap_or_else(|error| panic!("{rule}: {error}"))
}

#[test]
fn a_builtin_that_is_named_to_stand_for_a_function_counts_as_one_that_is_called() {
    for rule in [
        r#"p := v if v := f("a") with f as uuid.rfc4122"#,
        r#"p := v if v := lower("a") with lower as uuid.rfc4122"#,
        r#"p if not f("a") with f as uuid.rfc4122"#,
        "p if every x in [1] { f(x) with f as uuid.rfc4122 }",
        r#"p := [v | v := f("a") with f as uuid.rfc4122]"#,
        r#"p := v if v := f("a") with input as 1 with f as uuid.rfc4122"#,
        r#"p := 1 if { false } else := v if { v := f("a") with f as uuid.rfc4122 }"#,
        r#"p := g("a", 10) if g("a", 10) with g as rand.intn"#,
        r#"p := v if v := g(input.t, {"secret": "s"}) with g as io.jwt.decode_verify"#,
        "p := v if v := f(input.t) with f as http.send",
        "p := v if v := g(input.a, 1) with g as crypto.x509.parse_and_verify_certificates_with_options",
    ] {
        // given a rule that reaches a builtin whose answer changes by itself, by name alone
        let policies = of_rule(rule);
        // when its decisions, and those of a rule that reads it, are to be kept, then they are not
        for path in ["t/p", "t/other", "t"] {
            assert!(!policies.is_cacheable(&DecisionPath::parse(path).unwrap()), "{rule} {path}");
        }
    }
    // and one that names a builtin of constant answers is kept as before
    let constant = of_rule(r#"p := v if v := f("a") with f as upper"#);
    assert!(constant.is_cacheable(&DecisionPath::parse("t/p").unwrap()));
}

#[test]
fn a_missing_builtin_that_is_named_to_stand_for_a_function_is_seen_at_load() {
    for name in ["http.send", "net.lookup_ip_addr", "opa.runtime", "crypto.x509.parse_certificates"] {
        // given a rule that reaches a builtin the engine lacks, by name alone
        let policies = of_rule(&format!("p := v if v := f(input.x) with f as {name}"));
        // when it is asked who answers for it, then it is the baseline, with the reason
        let verdict = policies.verdict(&DecisionPath::parse("t/other").unwrap());
        assert_eq!(verdict.served_by, ServedBy::Baseline, "{name}");
        assert!(verdict.reasons.iter().any(|reason| reason.contains(name)), "{:?}", verdict.reasons);
        assert_eq!(policies.missing_builtins(&DecisionPath::parse("t/p").unwrap()), [name]);
    }
}
