"""Every builtin of the pinned OPA is either the engine's too or left to OPA on purpose: a new OPA's builtins are noticed."""

from __future__ import annotations

from typing import Any, Final

import pytest
from sark_engine import Policies, PolicyError

from sark_e2e.signatures import capabilities
from sark_sidecar.opa.rule_graph import NONDETERMINISTIC

LEFT_TO_OPA: Final = frozenset({
    # They ask others: the network, a resolver.
    "http.send", "net.lookup_ip_addr",
    # They sign or read private keys: Rust's crates do so in a time that may tell about the key, and policies rarely need it.
    "io.jwt.encode_sign", "io.jwt.encode_sign_raw", "providers.aws.sign_req", "crypto.parse_private_keys",
    "crypto.x509.parse_rsa_private_key", "crypto.x509.parse_keypair",
    # Their answers are structures of Go's libraries.
    "crypto.x509.parse_and_verify_certificates", "crypto.x509.parse_and_verify_certificates_with_options",
    "crypto.x509.parse_certificate_request", "crypto.x509.parse_certificates", "strings.render_template", "graphql.is_valid",
    "graphql.parse", "graphql.parse_and_verify", "graphql.parse_query", "graphql.parse_schema", "graphql.schema_is_valid",
    # They look at the policy itself, or at the OPA that runs.
    "opa.runtime", "rego.metadata.chain", "rego.metadata.rule", "rego.parse_module",
    # No functions but statements: called by name, they bind variables.
    "assign", "eq",
    # regorus answers otherwise in places.
    "graph.reachable_paths", "json.match_schema", "json.verify_schema", "net.cidr_expand", "uuid.parse", "yaml.is_valid",
    "yaml.marshal", "yaml.unmarshal",
    # OPA's compiler makes calls of these; nobody writes them.
    "internal.print", "internal.template_string", "internal.test_case",
})  # fmt: skip


def test_what_opa_calls_nondeterministic_is_not_kept():
    known = capabilities()
    changing = {builtin["name"] for builtin in known if builtin.get("nondeterministic")}
    assert len(changing) > 8
    # These look at the clock, which OPA does not say.
    verifying = {builtin["name"] for builtin in known if "parse_and_verify_certificates" in builtin["name"]}
    assert len(verifying) > 1
    assert changing | verifying == NONDETERMINISTIC


def refusal(builtin: dict[str, Any]) -> str | None:
    """Return why the engine does not answer a call of `builtin`; None when it does."""
    operands = ", ".join("input" for _ in builtin["decl"].get("args") or [])
    try:
        policies = Policies([("calls.rego", f"package calls\n\nanswer if {builtin['name']}({operands})\n")])
    except PolicyError as error:
        return f"unknown: {error}"
    return "left to OPA" if policies.unsupported else None


def test_every_builtin_of_opa_is_known():
    known = capabilities()
    refusals = {builtin["name"]: refusal(builtin) for builtin in known}
    deprecated = {builtin["name"] for builtin in known if builtin.get("deprecated")}

    assert len(refusals) > 200
    assert {name for name, reason in refusals.items() if reason == "left to OPA"} == LEFT_TO_OPA
    others = {name: reason for name, reason in refusals.items() if reason not in {None, "left to OPA"}}
    assert set(others) == deprecated, others
    assert all("deprecated built-in function" in str(reason) for reason in others.values()), others


def test_a_function_that_nobody_has_is_refused():
    with pytest.raises(PolicyError, match=r"undefined function no\.such\.thing"):
        Policies([("calls.rego", "package calls\n\nanswer if no.such.thing(input)\n")])
