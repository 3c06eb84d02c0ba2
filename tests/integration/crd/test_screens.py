"""What people see of rollouts with kubectl alone: the columns, and what explain says, compared with golden files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sark_e2e.control_plane import ControlPlane

HERE = Path(__file__).parent
ROLLOUTS = HERE.parents[1] / "unit" / "cli" / "rollouts"
Golden = Callable[[str, str], None]


@pytest.fixture
def rollouts(crd: ControlPlane, namespace: str) -> str:
    """The rollouts of the command's golden files, on the API server: in every phase, under the name of its file."""
    for path in sorted(ROLLOUTS.glob("*.yaml")):
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        status = body.pop("status", None)
        body["metadata"] = {"name": path.stem, "namespace": namespace}
        send(crd, "create", yaml.safe_dump(body))
        if status:
            send(crd, "replace", yaml.safe_dump({**body, "status": status}), "--subresource=status")
    return namespace


def send(crd: ControlPlane, verb: str, text: str, *flags: str) -> None:
    command = [crd.kubectl_path, "--kubeconfig", str(crd.kubeconfig), verb, "-f", "-", *flags]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


AGE = re.compile(r"(?<=  )(\d+[ydhms])+(?=  |$)")


def aged(text: str) -> str:
    """Return a table without ages and padding, which depend on the day."""
    return "".join(re.sub("  +", "  ", AGE.sub("AGE", line)).rstrip() + "\n" for line in text.splitlines())


def test_the_columns_say_where_every_rollout_is(crd: ControlPlane, rollouts: str, golden: Golden):
    golden("get.txt", aged(crd.kubectl("get", "srol", "-n", rollouts)))
    golden("get-wide.txt", aged(crd.kubectl("get", "srol", "-n", rollouts, "-o", "wide")))


def test_explain_tells_what_to_write(crd: ControlPlane, golden: Golden):
    golden("explain-spec.txt", crd.kubectl("explain", "sarkrollout.spec"))
    golden("explain-rollback.txt", crd.kubectl("explain", "sarkrollout.spec.rollback"))
    golden("explain-summary.txt", crd.kubectl("explain", "sarkrollout.status.summary"))


def test_describe_tells_everything(crd: ControlPlane, rollouts: str, golden: Golden):
    golden("describe-baking.txt", described(crd.kubectl("describe", "srol", "baking", "-n", rollouts)))


def described(text: str) -> str:
    """Return what `kubectl describe` shows without what depends on the day and the namespace."""
    changing = ("Creation Timestamp", "Resource Version", "UID", "Namespace")
    kept = [line.rstrip() for line in text.splitlines() if line.strip().split(":")[0] not in changing]
    return "".join(f"{line}\n" for line in kept)
