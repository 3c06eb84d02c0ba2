"""Random paths and query parameters: whatever OPA makes of them, the sidecar makes of them too, on each arm."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sark_e2e.opa import OpaServer

from .conftest import StartSidecar
from .rest_cases import ADMIN, Case
from .test_rest_api import ARMS, Told, ask, ask_opa, in_arm, policies

__all__ = ["policies"]
KNOWN = [
    "probe",
    "allow",
    "decision",
    "echo",
    "strings",
    "list",
    "numbers",
    "a b",
    "ü",
    "0",
    "1",
    "big",
    "k",
    "user",
    "c/d",
    "none",
]
ODD = [
    "%2F",
    "%25",
    "%2e%2e",
    "%zz",
    "%",
    "+",
    "%00",
    "%ff",
    "%C3",
    "'",
    "%22",
    "%5C",
    "%60",
    "%EF%BB%BF",
    "*",
    "[0]",
    "1.0",
    "-1",
    "01",
    "%31",
    ";",
]


@st.composite
def spelled(draw: st.DrawFn, name: str) -> str:
    """One of the ways to write a segment: any of its characters may be percent-encoded, with letters of any case."""
    written = ""
    for character in name:
        encoded = "".join(f"%{byte:02X}" for byte in character.encode())
        plain = quote(character, safe="")
        written += draw(st.sampled_from([plain, plain, encoded, encoded.lower()]))
    return written


SEGMENT = st.one_of(
    st.sampled_from(KNOWN).flatmap(spelled),
    st.sampled_from(KNOWN).flatmap(spelled),
    st.sampled_from(ODD),
    st.text(st.characters(codec="utf-8", exclude_characters="/."), min_size=1, max_size=3).flatmap(spelled),
    st.integers(-2, 10**20).map(str),
)
PATH = st.one_of(
    st.lists(SEGMENT, min_size=1, max_size=5),
    st.lists(SEGMENT, max_size=3).map(lambda rest: ["probe", *rest]),
).map("/".join)
PARAMETER = st.one_of(
    st.sampled_from(
        ["pretty", "pretty=true", "pretty=false", "pretty=TRUE", "unknown=1", "metrics=false", "explain=off", "&", "=", "%zz=1"]
    ),
    st.sampled_from([{}, ADMIN, 1, "text", [1], {"n": 1e300}]).map(lambda value: "input=" + quote(json.dumps(value))),
    st.sampled_from(["input=", "input={", "input=%7B%7D&input=1", "INPUT=1"]),
)
QUERY = st.lists(PARAMETER, max_size=3).map("&".join)
BODY = st.sampled_from([None, b"", b"{}", b'{"input":1}', json.dumps({"input": ADMIN}).encode()])


@st.composite
def requests(draw: st.DrawFn) -> Case:
    target = "/v1/data/" + draw(PATH)
    if query := draw(QUERY):
        target += "?" + query
    body = draw(BODY)
    return Case("GET", target) if body is None else Case("POST", target, body, {"Content-Type": "application/json"})


def is_impossible(told: Told) -> bool:
    """Whether OPA's compiler found that there can be nothing at this path; the engine just finds nothing there.

    The message is compared up to its first colon; a failed evaluation has another one.
    """
    document = without_lines(told.body)
    return told.status == 500 and isinstance(document, dict) and document.get("message") == "1 error occurred"


def has_decision(body: Any) -> bool:
    document = without_lines(body)
    return isinstance(document, dict) and "result" in document


def without_lines(body: Any) -> Any:
    """The document of a pretty answer, whose lines are counted."""
    return body[0] if isinstance(body, tuple) else body


@pytest.mark.timeout(300)
def test_random_paths_and_parameters_are_answered_as_by_opa(start_sidecar: StartSidecar, opa: OpaServer) -> None:
    sidecars = {arm: in_arm(start_sidecar, arm).data for arm in ARMS}
    kinds = set()

    @settings(max_examples=150, derandomize=True, deadline=None, database=None)
    @given(requests())
    def compare(case: Case) -> None:
        expected = ask_opa(opa.url, case)
        kinds.add((expected.status, has_decision(expected.body)))
        for arm, base in sidecars.items():
            told = ask(base, case)
            if is_impossible(expected):
                assert not has_decision(told.body), (arm, case, expected, told)
            else:
                assert (told.status, told.body) == (expected.status, expected.body), (arm, case)

    compare()
    # Decisions, undefined ones and refusals were among them.
    assert {(200, True), (200, False), (400, False)} <= kinds


@pytest.mark.parametrize("arm", list(ARMS))
def test_a_path_that_opa_cannot_read_is_no_outage_for_everybody(start_sidecar: StartSidecar, opa: OpaServer, arm: str) -> None:
    # Given a sidecar, and a path that is an error of OPA's server
    sidecar = in_arm(start_sidecar, arm)
    odd = Case("GET", "/v1/data/probe/%EF%BB%BF")
    expected = ask_opa(opa.url, odd)
    assert expected.status == 500

    # When it is asked for more often than OPA may fail before it is spared
    told = [ask(sidecar.data, odd) for _ in range(6)]

    # Then each answer is OPA's, and others are answered as before
    assert [(one.status, one.body) for one in told] == [(expected.status, expected.body)] * 6
    assert sidecar.get("/v1/status")["opa"]["breaker"]["state"] == "closed"
    assert ask(sidecar.data, Case("GET", "/v1/data/probe/allow")).status == 200
