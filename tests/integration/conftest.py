"""The real servers that integration tests talk to: started once for the session, each test in a namespace of its own.

A server that cannot be had fails the tests with the reason and the end of its log; nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from sark_e2e import binaries, run_folder
from sark_e2e.cluster import POLICIES, install_crd
from sark_e2e.cluster import prometheus_server as prometheus_server_of
from sark_e2e.control_plane import ControlPlane
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.namespace import fresh_namespace
from sark_e2e.opa import OpaServer
from sark_e2e.progress import to_stderr
from sark_e2e.prometheus import PrometheusServer
from sark_e2e.redis import RedisServer

_HERE = Path(__file__).parent
_TAIL_LINES = 8
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
                binaries.programs(report=to_stderr)
            except binaries.ProgramError as error:
                pytest.exit(f"the integration tests cannot run: {error}", returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add to a failed test's report where the servers' logs are, and how they end."""
    report: pytest.TestReport = yield
    folder = item.config.stash.get(_FOLDER, None)
    if report.failed and folder is not None:
        tails = [f"{path}\n{_end_of(path)}" for path in run_folder.logs(folder)]
        report.sections.append(("logs of the servers", "\n\n".join([f"all logs are in {folder}", *tails])))
    return report


def _end_of(path: Path) -> str:
    text = path.read_bytes()[-16_384:].decode("utf-8", errors="replace")
    return "\n".join(line[:400] for line in text.splitlines()[-_TAIL_LINES:])


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest) -> Path:
    """Where the session's servers keep logs, keys and data."""
    path = run_folder.create("pytest")
    request.config.stash[_FOLDER] = path
    return path


@pytest.fixture(scope="session")
def network() -> Iterator[LoopbackNetwork]:
    """Addresses of the session's servers and pods."""
    with LoopbackNetwork() as held:
        yield held


@pytest.fixture(scope="session")
def control_plane(network: LoopbackNetwork, folder: Path) -> Iterator[ControlPlane]:
    """A running etcd, kube-apiserver and kube-controller-manager."""
    programs = binaries.programs(binaries.CONTROL_PLANE)
    with ControlPlane(programs, network=network, folder=folder, report=to_stderr) as running:
        yield running


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> Iterator[client.ApiClient]:
    """A client that speaks as the administrator."""
    with control_plane.client() as opened:
        yield opened


@pytest.fixture
def namespace(api: client.ApiClient) -> Iterator[str]:
    """A namespace of the test's own, in which pods can be created."""
    with fresh_namespace(api) as name:
        yield name


@pytest.fixture(scope="session")
def crd(control_plane: ControlPlane) -> ControlPlane:
    """The control plane with the SarkRollout CRD installed and served."""
    install_crd(control_plane.kubectl)
    return control_plane


@pytest.fixture(scope="session")
def prometheus_server(control_plane: ControlPlane, network: LoopbackNetwork, folder: Path) -> Iterator[PrometheusServer]:
    """A Prometheus that scrapes every annotated pod each second."""
    binary = binaries.program("prometheus")
    with prometheus_server_of(control_plane, binary=binary, network=network, folder=folder / "prometheus") as running:
        yield running


@pytest.fixture(scope="session")
def opa_server(network: LoopbackNetwork, folder: Path) -> Iterator[OpaServer]:
    """An OPA server with the example's policies."""
    with OpaServer(binaries.program("opa"), network=network, folder=folder / "opa", policies=POLICIES) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server(network: LoopbackNetwork, folder: Path) -> Iterator[RedisServer]:
    """A Redis server, empty at the session's start; tests use keys or prefixes of their own."""
    with RedisServer(binaries.redis_server(), network=network, folder=folder / "redis") as running:
        yield running
