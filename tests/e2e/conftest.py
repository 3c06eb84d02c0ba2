"""Stories on real pods: the real images, installed by the real chart. `make e2e` runs them; `make test` does not.

One cluster, one release and one gateway for the session, because each takes minutes. Each story has a rollout of its own, which
begins and ends with the fleet on its baseline.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sark_e2e.pods import archives
from sark_e2e.pods.kind_cluster import KindCluster
from sark_e2e.pods.nest import FOLDER
from sark_e2e.pods.nested_cluster import NestedCluster
from sark_e2e.pods.pod_cluster import PodCluster
from sark_e2e.pods.stage import Stage
from sark_e2e.progress import to_stderr

_CLUSTER = os.environ.get("SARK_E2E", "")
collect_ignore_glob = [] if _CLUSTER else ["test_*.py"]
_HERE = Path(__file__).parent
_TIMEOUT_SECONDS = 1_200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test below this folder, and give it time for a whole rollout and the session's start."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A cluster with the operator, the gateway and its load."""
    made = archives.noted(Path(os.environ[FOLDER]))
    with _cluster(made) as cluster, Stage(cluster, made, report=to_stderr) as ready:
        yield ready


def _cluster(made: archives.Archives) -> KindCluster | NestedCluster:
    if _CLUSTER == "kind":
        return KindCluster(Path(os.environ[FOLDER]), report=to_stderr)
    return NestedCluster(pause=made.parts, report=to_stderr)


def _conforms(nested: NestedCluster, kind: KindCluster) -> tuple[PodCluster, PodCluster]:
    # For the type checker: both are what a stage needs.
    return nested, kind
