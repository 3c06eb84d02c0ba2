"""What the page reads of Kubernetes: so many rollouts and no more, and nothing but rollouts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import yaml

from sark_operator.page import rollouts as subject
from sark_operator.page.rollouts import Found, NotThereError, ReadError, Rollouts
from sark_operator.page.view.listing import listing
from sark_operator.shell.api import ClusterError, NotServedError, RefusedError, UnavailableError
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.cluster import KubernetesCluster

from .conftest import ROLLOUTS

pytestmark = pytest.mark.asyncio
BODY: Any = yaml.safe_load((ROLLOUTS / "baking.yaml").read_text(encoding="utf-8"))


def reading(*namespaces: str) -> Rollouts:
    client: Any = None
    return Rollouts(client, SystemClock(), namespaces)


@pytest.mark.parametrize(
    ("namespace", "name"), [("..", "gateway"), ("shop", ".."), ("shop", "."), ("shop", "a b"), ("shop", "")]
)
async def test_what_is_no_name_is_not_asked_for(monkeypatch: pytest.MonkeyPatch, namespace: str, name: str):
    asked: list[str] = []

    async def ask(*_: str) -> None:
        asked.append(name)
        raise UnavailableError("HTTP 500")

    monkeypatch.setattr(KubernetesCluster, "read_rollout", ask)
    with pytest.raises(ReadError):
        await reading().one("shop", "gateway.v2")
    assert len(asked) == 1
    with pytest.raises(NotThereError, match="There is no SarkRollout"):
        await reading().one(namespace, name)
    assert len(asked) == 1


async def listed(monkeypatch: pytest.MonkeyPatch, number: int, *namespaces: str) -> Found:
    """Return what is found where each namespace has so many rollouts, which come two at a time."""

    async def parts(_: Rollouts, namespace: str) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        bodies = [{**BODY, "metadata": {**BODY["metadata"], "namespace": namespace, "name": f"r{at}"}} for at in range(number)]
        for at in range(0, number, 2):
            yield bodies[at : at + 2]

    monkeypatch.setattr(Rollouts, "_parts", parts)
    return await reading(*namespaces).all()


@pytest.mark.parametrize(("number", "shown", "cut"), [(4, 4, 0), (5, 5, 0), (6, 5, 5), (7, 5, 5)])
async def test_a_list_that_was_not_read_to_its_end_says_so(monkeypatch: pytest.MonkeyPatch, number: int, shown: int, cut: int):
    monkeypatch.setattr(subject, "MOST", 5)
    found = await listed(monkeypatch, number, "shop")
    made = listing(found.rows, found.unreadable, cut=found.cut)
    assert (made.total, made.cut) == (shown, cut)


async def test_it_ends_after_so_many_of_all_namespaces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subject, "MOST", 5)
    found = await listed(monkeypatch, 4, "billing", "shop", "store")
    assert [each.key for each in found.rows] == ["billing/r0", "billing/r1", "billing/r2", "billing/r3", "shop/r0"]
    assert found.cut


async def listed_but_for(monkeypatch: pytest.MonkeyPatch, problems: Mapping[str, ClusterError], *namespaces: str) -> Found:
    """Return what is found where each namespace has a rollout, and after it fails as `problems` say."""

    async def parts(_: Rollouts, namespace: str) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        yield [{**BODY, "metadata": {**BODY["metadata"], "namespace": namespace}}]
        if namespace in problems:
            raise problems[namespace]

    monkeypatch.setattr(Rollouts, "_parts", parts)
    return await reading(*namespaces).all()


@pytest.mark.parametrize("problem", [RefusedError("list: forbidden"), NotServedError("list: no such path")])
async def test_a_namespace_that_is_refused_hides_no_other(monkeypatch: pytest.MonkeyPatch, problem: ClusterError):
    # Given three namespaces, of which the one in the middle is refused after its first part
    found = await listed_but_for(monkeypatch, {"shop": problem}, "billing", "shop", "store")
    # Then all that was read is there, and what could not be read is told with the reason
    made = listing(found.rows, found.unreadable, unread=found.unread)
    assert [each.namespace for each in made.rows] == ["billing", "shop", "store"]
    assert [(each.namespace, each.problem) for each in made.unread] == [("shop", str(problem))]


async def test_nothing_is_shown_where_every_namespace_is_refused(monkeypatch: pytest.MonkeyPatch):
    refused = RefusedError("list: forbidden")
    with pytest.raises(ReadError, match="list: forbidden"):
        await listed_but_for(monkeypatch, {"billing": refused, "shop": refused}, "billing", "shop")


async def test_an_api_server_that_is_away_is_no_refusal_of_one_namespace(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ReadError, match="not reached"):
        await listed_but_for(monkeypatch, {"billing": UnavailableError("not reached")}, "billing", "shop")
