"""The real servers that integration tests talk to: started once for the session, each test in a namespace of its own.

A server that cannot be had fails the tests with the reason and the end of its log; nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from sark_e2e import binaries, run_folder
from sark_e2e.cluster import LocalCluster
from sark_e2e.control_plane import ControlPlane
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.namespace import fresh_namespace
from sark_e2e.opa import OpaServer
from sark_e2e.progress import to_stderr
from sark_e2e.prometheus import PrometheusServer
from sark_e2e.redis import RedisServer

_HERE = Path(__file__).parent
_TAIL_LINES = 8
_MOST_LOGS = 12
_FOLDER = pytest.StashKey[Path]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test below this folder as an integration test."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what is missing before the first test's timeout begins to count."""
    if any(_HERE in item.path.parents for item in session.items) and not session.config.option.collectonly:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            try:
                binaries.programs((*binaries.NEEDED, *binaries.TESTED), report=to_stderr)
            except binaries.ProgramError as error:
                pytest.exit(f"the integration tests cannot run: {error}", returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add to a failed test's report where the servers' logs are, and how they end."""
    report: pytest.TestReport = yield
    folder = item.config.stash.get(_FOLDER, None)
    if report.failed and folder is not None:
        tails = [f"{path}\n{_end_of(path)}" for path in run_folder.logs(folder)[-_MOST_LOGS:]]
        report.sections.append(("logs of the servers", "\n\n".join([f"all logs are in {folder}", *tails])))
    return report


def _end_of(path: Path) -> str:
    text = path.read_bytes()[-16_384:].decode("utf-8", errors="replace")
    return "\n".join(line[:400] for line in text.splitlines()[-_TAIL_LINES:])


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """The whole local cluster: control plane with the CRD, Prometheus, OPA with the example's policies, Redis."""
    made = LocalCluster("pytest", report=to_stderr)
    request.config.stash[_FOLDER] = made.folder
    with made:
        yield made


@pytest.fixture(scope="session")
def folder(cluster: LocalCluster) -> Path:
    """Where the session's servers keep logs, keys and data."""
    return cluster.folder


@pytest.fixture(scope="session")
def network(cluster: LocalCluster) -> LoopbackNetwork:
    """Addresses of the session's servers and pods."""
    return cluster.network


@pytest.fixture(scope="session")
def control_plane(cluster: LocalCluster) -> ControlPlane:
    """A running etcd, kube-apiserver and kube-controller-manager."""
    return cluster.control_plane


@pytest.fixture(scope="session")
def crd(control_plane: ControlPlane) -> ControlPlane:
    """The control plane; the SarkRollout CRD is installed and served."""
    return control_plane


@pytest.fixture(scope="session")
def api(cluster: LocalCluster) -> client.ApiClient:
    """A client that speaks as the administrator."""
    return cluster.api


@pytest.fixture(scope="session")
def prometheus_server(cluster: LocalCluster) -> PrometheusServer:
    """A Prometheus that scrapes every annotated pod each second. A test that stops it starts it again."""
    return cluster.prometheus


@pytest.fixture(scope="session")
def opa_server(cluster: LocalCluster) -> OpaServer:
    """An OPA server with the example's policies. A test that stops it starts it again."""
    return cluster.opa


@pytest.fixture(scope="session")
def redis_server(cluster: LocalCluster) -> RedisServer:
    """A Redis server, empty at the session's start; tests use keys or prefixes of their own."""
    return cluster.redis


@pytest.fixture
def namespace(api: client.ApiClient) -> Iterator[str]:
    """A namespace of the test's own, in which pods can be created."""
    with fresh_namespace(api) as name:
        yield name
