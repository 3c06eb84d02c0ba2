"""One OPA server for all of these tests, without policies: each case loads its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sark_e2e import binaries
from sark_e2e.differential.comparison import Comparison
from sark_e2e.differential.oracle import Oracle
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test below this folder as an integration test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    """Both engines, ready to be asked."""
    folder = tmp_path_factory.mktemp("opa")
    policies = folder / "policies"
    policies.mkdir()
    with (
        LoopbackNetwork() as network,
        OpaServer(binaries.program("opa"), network=network, folder=folder, policies=policies) as server,
        Comparison(Oracle(server.url, server.revive)) as made,
    ):
        yield made
