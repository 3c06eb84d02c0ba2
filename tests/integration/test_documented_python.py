"""The Python of the documentation is run as it is written, with the test's addresses and names in place of the page's."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from sark_api.status import Phase
from sark_client import Decision
from sark_e2e.cluster import LocalCluster
from sark_e2e.documented import Block, blocks
from sark_e2e.example import quick
from sark_e2e.ledger import broken_promises
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.program import ROOT
from sark_e2e.scenario import Scenario
from sark_sidecar.in_process import DecisionPoint

PAGES = {"docs/client.md": 1, "docs/in-process.md": 2, "docs/local-cluster.md": 3, "engine-rs/README.md": 1}
"""Blocks of Python by page; the wheel's own README is run by tests/unit/engine/test_readme.py."""
PYTHON = [block for block in blocks() if block.language == "python"]


def block(page: str, number: int = 0) -> Block:
    return [each for each in PYTHON if each.page == page][number]


def run(block: Block, *rewrites: tuple[str, str], **names: Any) -> dict[str, Any]:
    """Run a block in which `names` are known, and return what is known afterwards; each of `rewrites` must find its text."""
    text = block.text
    for written, here in rewrites:
        assert written in text, f"{block} does not say {written}"
        text = text.replace(written, here)
    known = {"__name__": "documented", **names}
    exec(compile(text, str(block), "exec"), known)  # noqa: S102 - our own documentation
    return known


@pytest.fixture
def let_in() -> list[Any]:
    """What was let in by the page's `call`."""
    return []


def test_no_block_is_without_its_run():
    assert {page: [each.page for each in PYTHON].count(page) for page in {each.page for each in PYTHON}} == PAGES


def test_the_engine_decides(capsys: pytest.CaptureFixture[str]):
    known = run(block("engine-rs/README.md"))
    told = re.search(r"# (b'true')", block("engine-rs/README.md").text)
    assert told is not None
    decided, listed = capsys.readouterr().out.splitlines()
    assert decided == told[1]
    assert listed.startswith(f"{known['policies'].revision} ")


def test_a_client_asks_a_sidecar(cluster: LocalCluster, let_in: list[Any]):
    with cluster.namespace("documented") as namespace, cluster.fleet("asked", namespace=namespace, replicas=1) as fleet:
        known = run(block("docs/client.md"), ("unix:/run/sark/data.sock", fleet.data_urls[0]), call=let_in.append)
    # Alice names no tool, so she is refused, by a decision.
    assert isinstance(known["decision"], Decision)
    assert known["decision"].is_defined
    assert let_in == []


@pytest.fixture
def settings(cluster: LocalCluster, network: LoopbackNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's `sidecar.yaml`, in the working folder."""
    sections = {
        "policies": {"directory": str(ROOT / "examples" / "policies")},
        "opa": {"url": cluster.opa.url},
        "cache": {"redis_url": cluster.redis.url},
        "admin": {"host": network.pod(), "port": 8182},
    }
    (tmp_path / "sidecar.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "sidecar.yaml"


def test_an_application_asks_itself(settings: Path, let_in: list[Any]):
    known = run(block("docs/in-process.md"), call=let_in.append)
    assert known["decision"].is_defined
    assert (known["decision"].arm, let_in) == ("python", [])


def test_a_forked_worker_opens_its_own(settings: Path):
    app = SimpleNamespace(point=DecisionPoint(str(settings), path="mcp/gateway/decision"))
    known = run(block("docs/in-process.md", 1), app=app)
    try:
        known["post_fork"](None, None)
        assert app.point.is_open
    finally:
        app.point.close()


def test_a_cluster_is_steered(cluster: LocalCluster):
    # The session's cluster stands in for one of the page's own: to start another takes longer than all the rest.
    own = 'LocalCluster("trial", report=to_stderr) as cluster'
    try:
        here = {"session": cluster, "nullcontext": nullcontext}
        known = run(block("docs/local-cluster.md"), (own, "nullcontext(session) as cluster"), **here)
    finally:
        if not cluster.prometheus.running:
            cluster.prometheus.start()
    assert known["traffic"].stats().requests > 0


def test_a_rollout_is_told(cluster: LocalCluster):
    known = run(block("docs/local-cluster.md", 1), Scenario=Scenario, cluster=cluster, quick=quick, Phase=Phase)
    assert known["rollout"].key.endswith("/gateway")


def test_an_operator_is_sent_through_a_proxy(cluster: LocalCluster):
    with Scenario(cluster, prefix="documented") as scenario:

        def play() -> None:
            fleet = scenario.fleet(replicas=1)
            scenario.apply("gateway", fleet, quick(25, 100))
            scenario.serves(fleet, 25, seconds=60)

        # What the page leaves to its reader is a rollout that gets its first share.
        left = ("\n...\n", "\nplay()\n")
        known = run(block("docs/local-cluster.md", 2), left, scenario=scenario, broken_promises=broken_promises, play=play)
        assert [each.told for each in known["proxy"].journal].count(429) == 3
