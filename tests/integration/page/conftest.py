"""A browser, the packages the page's files are from, and a scenario with a page.

The story in a browser is told by `make test-page`, and skipped elsewhere: it needs a Chromium, and minutes on a busy machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from sark_e2e.cluster import LocalCluster
from sark_e2e.scenario import Scenario

PROJECT = Path(__file__).parents[3]
LOCK = PROJECT / "tools" / "page"
INSTALLED = PROJECT / ".cache" / "page"
_LOOKING = bool(os.environ.get("SARK_BROWSER"))
"""Whether this is `make test-page`, in which nothing is skipped."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the npm packages, in the versions and with the integrity of the lock file."""
    npm = shutil.which("npm")
    if npm is None and _LOOKING:
        pytest.fail("npm is not installed: axe-core, the accessibility checker, is a package of npm")
    if npm is None:
        pytest.skip("npm is not installed: the browser files are not compared with their packages")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(LOCK / name, INSTALLED / name)
    subprocess.run(
        [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=INSTALLED, check=True, timeout=100
    )
    return INSTALLED / "node_modules"


@pytest.fixture(scope="session")
def axe(packages: Path) -> str:
    """The source of axe-core, the accessibility checker."""
    return (packages / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    if not _LOOKING:
        pytest.skip("the page is looked at by `make test-page`")
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.fail("chromium is not installed: sh tools/browser.sh")
    # Its sandbox needs rights that root in a container has not; it shows nothing but our own page.
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    with Scenario(cluster, prefix="page") as story:
        yield story
