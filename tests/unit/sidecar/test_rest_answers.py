"""Who answers which request of the REST API, how it is counted, and what is left out of what the sidecar says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from sark_sidecar.rest.answer import RestAnswer
from sark_sidecar.rest.answering import RestAnswering
from sark_sidecar.rest.desk import Desk
from sark_sidecar.rest.own import redacted
from sark_sidecar.rest.request import RestRequest


@dataclass
class Parts:
    """Everything that can answer, or count."""

    reached: list[str] = field(default_factory=list)
    outcomes: list[tuple[int, str]] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    status: int = 200

    async def forward(self, request: RestRequest) -> RestAnswer:
        self.reached.append(f"OPA reads {request.method}")
        return RestAnswer(self.status, b"{}")

    async def answer(self, request: RestRequest) -> RestAnswer:
        self.reached.append(f"written {request.method}")
        return RestAnswer(204, b"")

    def passed_on(self, *, failed: bool) -> None:
        self.failed.append(failed)

    def complete(self, job_id: int, status: int, body: bytes, *, outcome: str, headers: Sequence[tuple[str, str]]) -> bool:
        del job_id, body, headers
        self.outcomes.append((status, outcome))
        return True

    async def begin(self, jobs: Sequence[Any]) -> list[Any]:
        self.reached.append(f"asked {len(jobs)}")
        return list(jobs)

    async def finish(self, asked: Any) -> None:
        self.reached.append(f"decided {asked.id}")


def answering(parts: Parts, threads: ThreadPoolExecutor, *, writes: bool) -> RestAnswering:
    nothing: Any = SimpleNamespace(metrics=None)
    return RestAnswering(nothing, parts, nothing, parts, threads=threads, writing=parts if writes else None)


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("writes", [True, False])
async def test_every_change_goes_to_the_writer_where_there_is_one(method: str, writes: bool):
    parts = Parts()
    with ThreadPoolExecutor(1) as threads:
        await answering(parts, threads, writes=writes).answer(RestRequest(method, "/v1/data/users/a", [], b"{}"))
    assert parts.reached == [f"written {method}" if writes else f"OPA reads {method}"]


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_what_opa_says_to_other_requests_counts_as_no_decision(status: int):
    # Given a question, and a request of the REST API to which OPA's answer may look like a decision
    parts = Parts(status=status)
    question = SimpleNamespace(id=1, method="", target="", headers=[], body=b"")
    other = SimpleNamespace(id=2, method="POST", target="/v1/query", headers=[], body=b"{}")
    with ThreadPoolExecutor(1) as threads:
        desk: Desk[Any, Any] = Desk(parts, answering(parts, threads, writes=True), parts)
        # When both are taken
        for asked in await desk.begin([question, other]):
            await desk.finish(asked)
    # Then the arm decides the one, and the other is no allow, whatever came of it
    assert sorted(parts.reached) == ["OPA reads POST", "asked 1", "decided 1"]
    assert parts.outcomes == [(status, "error")]
    assert parts.failed == [status >= 500]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://opa:8181", "http://opa:8181"),
        ("https://ann:secret@opa:8181/path", "https://opa:8181/path"),
        ("https://opa/bundle.tar.gz?signature=secret#secret", "https://opa/bundle.tar.gz"),
        ("redis://:secret@redis:6379/0", "redis://redis:6379/0"),
        ("http://[secret", "(hidden)"),
        ("no address", "no address"),
    ],
)
def test_no_address_shows_who_asks_there_or_with_what(text: str, shown: str):
    assert redacted({"one": [text], "other": (text, 1, None)}) == {"one": [shown], "other": [shown, 1, None]}
