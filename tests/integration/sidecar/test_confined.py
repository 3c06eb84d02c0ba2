"""As in a hardened pod: another user, no capability, a root file system that cannot be written to, one writable folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sark_api.flags import FeatureFlags, FlagDocument
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.redis import RedisServer

from .conftest import EXAMPLE, RunningSidecar

USER = "65532"
CONFINE = f"""set -e
mount --make-rprivate /
mount --bind "$1" "$1"
if [ -n "$2" ]; then
  # The interpreter lies in a home that others may not enter: in its place comes one that they may.
  mount --bind "$3" /mnt
  mount -t tmpfs -o mode=755 tmpfs "$2"
  mkdir -p "$3"
  mount --move /mnt "$3"
  mount -o remount,ro "$2"
fi
mount -o remount,bind,ro /
shift 3
exec setpriv --reuid={USER} --regid={USER} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""
Confined = Callable[..., RunningSidecar]
QUESTION = {"user": {"id": "u", "tenant": "acme", "roles": ["developer"]}, "action": "invoke", "tool": {"name": "read_ticket"}}


def confinement(writable: Path) -> list[str]:
    home = Path.home()
    hidden = str(home) if Path(sys.base_prefix).is_relative_to(home) else ""
    return ["unshare", "--mount", "sh", "-c", CONFINE, "confine", str(writable), hidden, sys.base_prefix]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody can read, with policies, and one below it that the user may write to."""
    folder = Path(tempfile.mkdtemp(prefix="sark-confined-"))
    try:
        folder.chmod(0o755)
        shutil.copytree(EXAMPLE, folder / "policies" / "mcp")
        (folder / "state").mkdir()
        if os.geteuid() != 0:
            pytest.skip("only root can set up a user and a read-only root")
        os.chown(folder / "state", int(USER), int(USER))
        probe = [*confinement(folder / "state"), sys.executable, "-c", "import sark_sidecar.service"]
        tried = subprocess.run(probe, capture_output=True, text=True, timeout=60, check=False)
        if tried.returncode != 0:
            pytest.skip(f"not possible here: {tried.stderr.strip()[-300:]}")
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def confined(place: Path, network: LoopbackNetwork, opa: OpaServer, redis: RedisServer) -> Iterator[Confined]:
    started: list[RunningSidecar] = []

    def start(**flags: Any) -> RunningSidecar:
        address = network.pod()
        settings: dict[str, dict[str, Any]] = {
            "policies": {"directory": str(place / "policies")},
            "opa": {"url": opa.url},
            "cache": {"redis_url": redis.url},
            "data": {"host": address, "port": 8180},
            "admin": {"host": address, "port": 8182},
            "flags": {"mode": "file", "file": str(place / "flags.json"), **flags},
        }
        sidecar = RunningSidecar(settings, place / f"sidecar-{len(started)}", prefix=confinement(place / "state"))
        started.append(sidecar)
        sidecar.start()
        return sidecar

    yield start
    for sidecar in started:
        sidecar.stop()


def write_flags(place: Path, revision: int, percentage: int = 50) -> None:
    document = FlagDocument(
        feature_flags=FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percentage),
        salt="salt",
        rollout="team/gateway",
        revision=revision,
        valid_until=datetime.now(UTC) + timedelta(minutes=5),
    ).sealed()
    (place / "flags.json").write_text(document.to_json(), encoding="utf-8")


def identity(sidecar: RunningSidecar) -> dict[str, str]:
    lines = Path(f"/proc/{sidecar.pid}/status").read_text(encoding="utf-8").splitlines()
    return {key: value.split()[0] for key, _, value in (line.partition(":") for line in lines) if value.split()}


def test_it_serves_and_keeps_the_last_good_flags(confined: Confined, place: Path):
    # Given a sidecar that may write to one folder
    write_flags(place, 7)
    sidecar = confined(state_file=str(place / "state" / "flags.json"))
    shown = identity(sidecar)
    assert (shown["Uid"], shown["CapEff"].strip("0"), shown["NoNewPrivs"]) == (USER, "", "1")
    assert sidecar.decide(QUESTION)[0] == 200
    eventually((place / "state" / "flags.json").exists, what="the state file", seconds=20)
    # When it is killed and starts again without its source
    sidecar.kill()
    (place / "flags.json").unlink()
    again = confined(state_file=str(place / "state" / "flags.json"), start_timeout="500ms")
    # Then it goes on where it was
    assert (again.get("/flags")["revision"], again.get("/flags")["percentage"]) == (7, 50)
    assert again.decide(QUESTION)[0] == 200


def test_it_serves_and_says_so_when_it_cannot_write(confined: Confined, place: Path):
    write_flags(place, 7)
    sidecar = confined(state_file=str(place / "flags-state.json"))
    eventually(lambda: sidecar.metric("sark_flag_state_file_failures_total") >= 1, what="the failure", seconds=20)
    assert sidecar.decide(QUESTION)[0] == 200
    assert sidecar.get("/flags")["percentage"] == 50
    assert "Read-only file system" in sidecar.tail()
    assert str(place / "flags-state.json") in sidecar.tail()


def test_a_full_disk_costs_the_kept_flags_and_nothing_else(confined: Confined, place: Path):
    """The disk is a file system of a few pages, filled by somebody else."""
    full = place / "state"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=16k,uid={USER},gid={USER}", "tmpfs", full], check=True, timeout=20)
    try:
        (full / "ballast").write_bytes(b"x" * 16_384)
        write_flags(place, 7)
        sidecar = confined(state_file=str(full / "flags.json"))
        eventually(lambda: sidecar.metric("sark_flag_state_file_failures_total") >= 1, what="the failure", seconds=20)
        assert "No space left on device" in sidecar.tail()
        assert sidecar.decide(QUESTION)[0] == 200
        # When there is room again, then the next document is kept
        (full / "ballast").unlink()
        write_flags(place, 8, percentage=25)
        eventually((full / "flags.json").exists, what="the kept flags", seconds=20)
        assert sidecar.get("/flags")["percentage"] == 25
        sidecar.stop()
    finally:
        subprocess.run(["umount", "--lazy", full], check=True, timeout=20)
