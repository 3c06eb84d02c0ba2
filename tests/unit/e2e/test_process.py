"""A child is started, awaited, signalled and ended, and its log is shown when it fails."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from sark_e2e.deadline import eventually
from sark_e2e.process import Process, ProcessError
from sark_e2e.reaper import start_time


def python(tmp_path: Path, code: str, **options: object) -> Process:
    return Process("child", [sys.executable, "-c", code], log=tmp_path / "child.log", **options)  # type: ignore[arg-type]


def prints(text: str, tmp_path: Path) -> bool:
    return any(line.startswith(text) for line in (tmp_path / "child.log").read_text().splitlines())


def test_a_child_is_ready_when_its_probe_says_so(tmp_path: Path):
    # Given a child that makes a file when it is ready
    mark = tmp_path / "ready"
    child = python(
        tmp_path,
        f"import time, pathlib; time.sleep(0.2); pathlib.Path({str(mark)!r}).touch(); time.sleep(600)",
        ready=lambda: None if mark.exists() else "no mark yet",
    )

    # When it is entered, then it is ready, and when it is left, it has ended
    with child:
        assert mark.exists()
        assert child.running
    assert not child.running
    assert child.exit_status == -signal.SIGTERM


def test_a_child_that_ends_while_starting_is_reported_with_its_log(tmp_path: Path):
    child = python(tmp_path, "print('no such option'); raise SystemExit(3)", ready=lambda: "not yet")

    with pytest.raises(ProcessError, match=r"child ended with status 3 while starting(.|\n)*no such option"):
        child.start()


def test_a_child_that_never_gets_ready_is_ended(tmp_path: Path):
    child = python(tmp_path, "import time; time.sleep(600)", ready=lambda: "still loading", ready_seconds=0.3)

    with pytest.raises(ProcessError, match="child is not ready after 0 s: still loading"):
        child.start()
    assert child.exit_status == -signal.SIGKILL


def test_a_program_that_does_not_exist_is_named(tmp_path: Path):
    child = Process("server", [tmp_path / "missing"], log=tmp_path / "log")

    with pytest.raises(ProcessError, match=r"server could not be started: .*missing"):
        child.start()


def test_a_child_that_ignores_the_request_is_ended(tmp_path: Path):
    # Given a child that does not end when asked
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    child = python(tmp_path, code, ready=lambda: None if prints("deaf", tmp_path) else "starting").start()

    # When it is stopped with little patience
    child.stop(seconds=0.2)

    # Then it is ended
    assert child.exit_status == -signal.SIGKILL


def test_what_a_child_started_ends_with_it(tmp_path: Path):
    # Given a child that starts another
    code = "import subprocess; p = subprocess.Popen(['sleep', '600']); print('pid', p.pid, flush=True); p.wait()"
    child = python(tmp_path, code, ready=lambda: None if prints("pid ", tmp_path) else "starting").start()
    grandchild = int(child.tail().rsplit("pid ", 1)[1])
    started = start_time(grandchild)
    assert started is not None

    # When the child crashes
    child.kill()

    # Then the other is gone too
    eventually(lambda: start_time(grandchild) != started or _is_zombie(grandchild), what="its end", seconds=10)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_child_can_be_started_again_after_a_crash(tmp_path: Path):
    child = python(tmp_path, "import time; time.sleep(600)").start()
    first = child.pid
    child.kill()

    with child.start():
        assert child.pid != first
        with pytest.raises(ProcessError, match="child is running already"):
            child.start()


def test_a_child_that_was_never_started_has_no_pid_and_can_be_stopped(tmp_path: Path):
    child = python(tmp_path, "pass")

    child.stop()
    child.send(signal.SIGTERM)
    with pytest.raises(ProcessError, match="child is not running"):
        _ = child.pid
    with pytest.raises(ProcessError, match="child was never started"):
        child.wait(seconds=0)


def test_waiting_returns_the_status(tmp_path: Path):
    assert python(tmp_path, "raise SystemExit(7)").start().wait(seconds=30) == 7


def test_a_child_told_to_stop_has_stopped(tmp_path: Path):
    # Given a child with threads that never rest
    code = "import threading\ndef go():\n while True: pass\nfor _ in range(8): threading.Thread(target=go).start()"
    with python(tmp_path, code) as child:
        tasks = Path(f"/proc/{child.pid}/task")

        def states() -> set[str]:
            return {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()}

        eventually(lambda: len(list(tasks.iterdir())) == 9, what="the threads", seconds=20)
        for _ in range(5):
            # When it is told to stop, then no thread of it runs any more
            child.send(signal.SIGSTOP)
            assert states() == {"T"}
            # And when it is told to go on, all do
            child.send(signal.SIGCONT)
            eventually(lambda: "T" not in states(), what="they go on", seconds=20)
