"""What OPA answers from data that no look at it compares: it changes, and nobody here sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sark_e2e.deadline import eventually
from sark_e2e.opa import OpaServer

from .conftest import RunningSidecar, StartSidecar, request

# The usual policies have packages below data.mcp, so that what else lies there can be known by its name only.
POLICY = """
package door

allow if data.mcp[input.list].admin == input.user

compared if data.mcp.tenants[input.tenant]
"""
QUESTION = {"list": "grants", "user": "bob"}
BY_BOTH_CACHES = pytest.mark.parametrize("rust_cache", [False, True], ids=["redis", "in process"])


@BY_BOTH_CACHES
@pytest.mark.parametrize(
    ("document", "path"),
    [
        pytest.param("grants", "grants/admin", id="a document that no rule names"),
        pytest.param("mcp/grants", "door/allow", id="a rule that finds it by a variable"),
        pytest.param("door/grants", "door", id="a package, and what lies beside its rules"),
    ],
)
def test_what_opa_takes_back_is_not_answered_any_more(
    opa: OpaServer, start_sidecar: StartSidecar, rust_cache: bool, document: str, path: str
):
    # Given a document that only OPA has, an answer that comes from it, and time to keep it
    sidecar = started(start_sidecar, rust_cache)
    request(f"{opa.url}/v1/data/{document}", {"admin": "bob"}, method="PUT")
    given = told_by(opa, path)
    assert sidecar.decide(QUESTION, path)[1] == given
    await_hit(sidecar, {"asked": "before"}, "mcp/tenants")
    # When OPA has it no more, which leaves its revision as it was
    request(f"{opa.url}/v1/data/{document}", {}, method="PUT")
    # Then nobody is told the old answer, before the next look and after it
    taken_back = told_by(opa, path)
    assert taken_back != given
    assert sidecar.decide(QUESTION, path)[1] == taken_back
    await_hit(sidecar, {"asked": "after"}, "mcp/tenants")
    assert sidecar.decide(QUESTION, path)[1] == taken_back


@BY_BOTH_CACHES
@pytest.mark.parametrize("path", ["mcp/gateway/decision", "door/compared", "mcp/tenants", "mcp/tenants/acme"])
def test_what_comes_from_compared_data_alone_is_kept(start_sidecar: StartSidecar, rust_cache: bool, path: str):
    sidecar = started(start_sidecar, rust_cache)
    await_hit(sidecar, {"tenant": "acme"}, path)


def started(start_sidecar: StartSidecar, rust_cache: bool) -> RunningSidecar:
    flags = {"rollout_percentage": 100, "rust_opa_enabled": False, "rust_cache_enabled": rust_cache}
    return start_sidecar(feature_flags=flags)


def told_by(opa: OpaServer, path: str) -> Any:
    return request(f"{opa.url}/v1/data/{path}", {"input": QUESTION})[1]


def await_hit(sidecar: RunningSidecar, question: Any, path: str) -> None:
    """Ask until a cache answers: what was decided before has been kept by then, or is not kept."""

    def is_hit() -> bool:
        before = sidecar.metric("cache_operations_total", result="hit")
        assert "result" in sidecar.decide(question, path)[1]
        return sidecar.metric("cache_operations_total", result="hit") > before

    eventually(is_hit, what=f"a kept answer of {path}", seconds=20)


@pytest.fixture
def policies(policies: Path) -> Path:
    """The usual ones and that."""
    (policies / "door.rego").write_text(POLICY, encoding="utf-8")
    return policies
