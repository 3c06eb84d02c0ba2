"""Where each arm breaks, and how it comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e import run_folder
from sark_e2e.performance import profile, recovery, stress
from sark_e2e.performance.stand import ARMS, Stand
from sark_e2e.performance.suite import Suite


@pytest.mark.parametrize("arm", ARMS)
def test_maximum_throughput(suite: Suite, stand: Stand, arm: str):
    stress.maximum_throughput(suite, stand, arm)


def test_connections(suite: Suite, stand: Stand):
    stress.connections(suite, stand)


@pytest.mark.parametrize("arm", ARMS)
def test_profile(suite: Suite, stand: Stand, arm: str):
    profile.look(suite, stand, arm)


def test_large_policies(suite: Suite, tmp_path: Path):
    stress.large_policies(suite, tmp_path)


def test_recovery(suite: Suite):
    recovery.failures(suite, run_folder.create("recovery"))
