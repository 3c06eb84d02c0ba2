"""A sidecar ends when its requests are answered, whatever its threads are at."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sark_e2e.loopback import free_port
from sark_sidecar.in_process.point import DecisionPoint
from sark_sidecar.leaving import UNWRITTEN, run_to_end
from sark_sidecar.policies import folder

LONG = 60
"""Seconds after which something hangs."""
SCRIPT = """
import sys, threading
from sark_sidecar.__main__ import main
from sark_sidecar.policies import folder

compiled = []
compile_folder = folder.compile_folder

def once(*arguments):
    if compiled:
        print("compiling", flush=True)
        threading.Event().wait()
    compiled.append(True)
    return compile_folder(*arguments)

folder.compile_folder = once
main(sys.argv[1:])
"""
REGO = "package authz\n\nallow := true\n"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, dict[str, object]]:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "policy.rego").write_text(REGO, encoding="utf-8")
    return {
        "policies": {"directory": str(policies), "poll_interval": "100ms"},
        "cache": {"backend": "rust"},
        "data": {"host": None, "unix_path": str(tmp_path / "socket")},
        "admin": {"host": "127.0.0.1", "port": free_port("127.0.0.1")},
        "limits": {"drain_timeout": "1s"},
    }


def touch(settings: dict[str, dict[str, object]]) -> None:
    (Path(str(settings["policies"]["directory"])) / "policy.rego").write_text(REGO + "\nmore := 1\n", encoding="utf-8")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_loop_ends_before_its_threads(release: threading.Event):
    # Given a loop one of whose threads is at something long
    begun, ended = threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        release.wait()
        ended.set()

    async def main() -> None:
        task = asyncio.ensure_future(asyncio.to_thread(long))
        while not begun.is_set():  # noqa: ASYNC110 - it is over soon
            await asyncio.sleep(0.01)
        task.cancel()

    # When the loop's work is done
    runner = threading.Thread(target=lambda: run_to_end(main()), daemon=True)
    runner.start()
    runner.join(LONG)
    # Then the loop ends, and not the thread
    assert not runner.is_alive()
    assert not ended.is_set()


def test_a_sidecar_told_to_stop_waits_for_no_compilation(settings: dict[str, dict[str, object]], tmp_path: Path):
    # Given a sidecar that compiles policies and never comes to an end with it
    file = tmp_path / "sidecar.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", SCRIPT, "--config", str(file)], stdout=subprocess.PIPE, text=True) as sidecar:
        try:
            assert sidecar.stdout is not None
            while not (tmp_path / "socket").exists():
                assert sidecar.poll() is None
            touch(settings)
            assert sidecar.stdout.readline() == "compiling\n"
            # When it is told to stop, then it ends as always
            sidecar.send_signal(signal.SIGTERM)
            assert sidecar.wait(LONG) == 0
        finally:
            sidecar.kill()


def test_a_decision_point_closes_without_waiting_for_a_compilation(
    settings: dict[str, dict[str, object]], release: threading.Event, monkeypatch: pytest.MonkeyPatch
):
    # Given a decision point that compiles policies for as long as we like
    compile_folder, compiling = folder.compile_folder, threading.Event()
    point = DecisionPoint(settings).open(LONG)

    def long(*arguments: object) -> object:
        compiling.set()
        release.wait()
        return compile_folder(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(folder, "compile_folder", long)
    touch(settings)
    assert compiling.wait(LONG)
    # When it is closed
    closing = threading.Thread(target=point.close, daemon=True)
    closing.start()
    closing.join(LONG)
    # Then that ends before the compilation
    assert not closing.is_alive()


@pytest.mark.parametrize(("status", "told"), [(0, UNWRITTEN), (1, 1)])
def test_what_could_not_be_written_is_no_success(status: int, told: int):
    # Given a command whose output goes to a full disk, and something to do at its end
    program = (
        "import atexit, sys; from sark_sidecar.leaving import leave; "
        f"atexit.register(print, 'removed', file=sys.stderr); print('a report'); leave({status})"
    )
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-c", program]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=LONG, check=False, env=buffered)
    # Then its status says so, and that is done all the same
    assert (ended.returncode, ended.stderr) == (told, "removed\n")
