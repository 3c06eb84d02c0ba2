//! Builtins the engine lacks or whose answer changes by itself.

use regorus::unstable::BUILTINS;

use super::own;

/// What becomes of a call to a function that no module defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    /// The engine has it.
    Native,
    /// OPA has it, the engine does not.
    OnlyInOpa,
    /// Nobody has it.
    Unknown,
}

pub(crate) fn availability(name: &str) -> Availability {
    // `print` is handled outside the table of builtins.
    if is_left_to_opa(name) {
        Availability::OnlyInOpa
    } else if name == "print" || own(name).is_some() || BUILTINS.contains_key(name) {
        Availability::Native
    } else if ONLY_IN_OPA.binary_search(&name).is_ok() {
        Availability::OnlyInOpa
    } else {
        Availability::Unknown
    }
}

/// Builtins of regorus that answer otherwise than OPA and that authorization seldom needs: YAML by another version of its
/// rules, other messages about JSON schemas, other spellings of UUIDs, other ways through a graph with loops, arrays instead of sets,
/// another runtime.
fn is_left_to_opa(name: &str) -> bool {
    matches!(
        name,
        "graph.reachable_paths"
            | "json.match_schema"
            | "json.verify_schema"
            | "net.cidr_expand"
            | "opa.runtime"
            | "uuid.parse"
            | "yaml.is_valid"
            | "yaml.marshal"
            | "yaml.unmarshal"
    )
}

/// Whether a decision that reaches this builtin may differ next time on the same input.
pub(crate) fn is_nondeterministic(name: &str) -> bool {
    matches!(
        name,
        "crypto.x509.parse_and_verify_certificates"
            | "crypto.x509.parse_and_verify_certificates_with_options"
            | "http.send"
            | "io.jwt.decode_verify"
            | "io.jwt.encode_sign"
            | "io.jwt.encode_sign_raw"
            | "net.lookup_ip_addr"
            | "opa.runtime"
            | "rand.intn"
            | "time.now_ns"
            | "uuid.rfc4122"
    )
}

/// Builtins of OPA 1.22 (`opa capabilities --current`) that the engine does not have, sorted.
const ONLY_IN_OPA: &[&str] = &[
    "assign",
    "crypto.parse_private_keys",
    "crypto.x509.parse_and_verify_certificates",
    "crypto.x509.parse_and_verify_certificates_with_options",
    "crypto.x509.parse_certificate_request",
    "crypto.x509.parse_certificates",
    "crypto.x509.parse_keypair",
    "crypto.x509.parse_rsa_private_key",
    "eq",
    "graphql.is_valid",
    "graphql.parse",
    "graphql.parse_and_verify",
    "graphql.parse_query",
    "graphql.parse_schema",
    "graphql.schema_is_valid",
    "http.send",
    "internal.print",
    "internal.template_string",
    "internal.test_case",
    "io.jwt.encode_sign",
    "io.jwt.encode_sign_raw",
    "net.lookup_ip_addr",
    "providers.aws.sign_req",
    "rego.metadata.chain",
    "rego.metadata.rule",
    "rego.parse_module",
    "strings.render_template",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_names_nothing_the_engine_has() {
        assert!(ONLY_IN_OPA.is_sorted());
        let native: Vec<_> = ONLY_IN_OPA.iter().filter(|name| availability(name) == Availability::Native).collect();
        assert!(native.is_empty(), "{native:?}");
    }

    #[test]
    fn http_send_counts_as_missing() {
        assert_eq!(availability("http.send"), Availability::OnlyInOpa);
        assert_eq!(availability("no.such.thing"), Availability::Unknown);
        // That of regorus tells of regorus.
        assert_eq!(availability("opa.runtime"), Availability::OnlyInOpa);
        assert_eq!(availability("count"), Availability::Native);
    }
}
