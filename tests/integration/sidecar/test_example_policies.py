"""The example policies are sound by OPA's own tools."""

from __future__ import annotations

import subprocess

import pytest

from sark_e2e import binaries
from sark_e2e.program import ROOT

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--strict", "policies"],
        ["test", "policies", "policies_test"],
        ["fmt", "--fail", "policies/mcp", "policies_test"],
        ["check", "--strict", "access/policies"],
        ["test", "access/policies", "access/tests"],
        ["fmt", "--fail", "access/policies/access", "access/tests"],
    ],
)
def test_opa_accepts_them(arguments: list[str]):
    done = subprocess.run(
        [binaries.program("opa"), *arguments], cwd=EXAMPLES, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
