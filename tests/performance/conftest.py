"""Options and servers of the suite. It is run by `make report`, by its folders, and never by `make test`.

.venv/bin/python -m pytest tests/performance/load --scale 0.01 --run mine -k target
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sark_e2e import run_folder
from sark_e2e.bench.load_generator import build
from sark_e2e.performance import stand as stands
from sark_e2e.performance.scenarios import DEFAULT_SCALE
from sark_e2e.performance.stand import Stand
from sark_e2e.performance.suite import Suite
from sark_e2e.progress import to_stderr


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("performance suite")
    group.addoption("--scale", type=float, default=DEFAULT_SCALE, help="1 measures as long as the report plans (default 1/60)")
    group.addoption("--run", dest="run_name", default="latest", help="name of the folder below reports/ (default: latest)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(0))  # a full run takes hours


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config) -> Suite:
    scale = pytestconfig.getoption("scale")
    if not 0 < scale <= 1:
        raise pytest.UsageError(f"--scale is {scale}; it must be above 0 and at most 1")
    return Suite(pytestconfig.getoption("run_name"), scale, build(to_stderr), to_stderr)


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    with stands.running(run_folder.create("performance"), to_stderr) as running:
        yield running
