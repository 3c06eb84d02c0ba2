"""Lines that are written aside: a reader who is gone or slow, and a full disk, hold up nobody."""

from __future__ import annotations

import fcntl
import io
import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import structlog

from sark_sidecar import logs
from sark_sidecar.aside import Aside
from sark_sidecar.settings import LogLevel

PATIENCE = 20.0
PIPE_BYTES = 4096


class Pipe:
    """A pipe of the smallest size that nobody reads until it is asked to."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.end = os.fdopen(write, "w", encoding="utf-8")
        self.text = ""
        self._reader = threading.Thread(target=self._drain)

    def read(self) -> None:
        """Read everything from now on."""
        self._reader.start()

    def close(self) -> None:
        if not self._reader.ident:
            self.read()
        self.end.close()
        self._reader.join(PATIENCE)
        os.close(self._read)

    def _drain(self) -> None:
        while taken := os.read(self._read, 65536):
            self.text += taken.decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


class FullDisk(io.StringIO):
    """Takes nothing while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def notice(lost: int) -> str:
    return f"lost {lost}\n"


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_lines_are_written_whole_and_in_order(pipe: Pipe):
    pipe.read()
    aside = Aside(pipe.end, most_lines=100_000)
    lines = [f"{number} {'x' * (number % 700)} ü\n" for number in range(2000)]
    for line in lines:
        assert aside.write(line) == len(line)
        aside.flush()
    assert aside.settle(PATIENCE)
    until(lambda: pipe.text == "".join(lines))


def test_who_logs_into_a_pipe_that_nobody_reads_goes_on_and_the_loss_is_told(pipe: Pipe):
    # Given a pipe that nobody reads and that takes no more, and far more lines than wait
    aside = Aside(pipe.end, notice=notice, most_lines=10)
    numbers = itertools.count()
    while aside.settle(0.2):
        aside.write(f"{next(numbers):063}\n")
    for number in itertools.islice(numbers, 2000):
        aside.write(f"{number:063}\n")
    said = next(numbers)

    # When somebody reads again
    pipe.read()
    assert aside.settle(PATIENCE)
    until(lambda: "lost" in pipe.text)
    aside.write("after\n")
    assert aside.settle(PATIENCE)

    # Then the first lines are there in order, and those that are missing are counted where they were
    until(lambda: pipe.text.endswith("after\n"))
    *written, told, after = pipe.text.splitlines()
    assert [int(line) for line in written] == list(range(len(written)))
    assert PIPE_BYTES // 64 < len(written) < said
    assert (told, after) == (f"lost {said - len(written)}", "after")


def test_a_descriptor_that_does_not_block_loses_nothing_either(pipe: Pipe):
    os.set_blocking(pipe.end.fileno(), False)
    aside = Aside(pipe.end, notice=notice)
    for number in range(500):
        aside.write(f"{number:063}\n")
    assert not aside.settle(0.05)
    pipe.read()
    assert aside.settle(PATIENCE)
    until(lambda: len(pipe.text) == 500 * 64)


def test_what_a_full_disk_does_not_take_is_lost_and_counted():
    disk = FullDisk()
    aside = Aside(disk, notice=notice)
    for _ in range(3):
        aside.write("one\n")
    assert aside.settle(PATIENCE)
    disk.full = False
    aside.write("two\n")
    aside.write("three\n")
    assert aside.settle(PATIENCE)
    assert disk.getvalue() == "lost 3\ntwo\nthree\n"


@pytest.fixture
def restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level, raises = list(root.handlers), root.level, logging.raiseExceptions
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raises


@pytest.mark.usefixtures("restored")
def test_our_records_and_those_of_libraries_are_lines_of_json_and_so_is_the_loss(pipe: Pipe, monkeypatch: pytest.MonkeyPatch):
    # Given logs into a pipe that nobody reads
    monkeypatch.setattr(logs.sys, "stderr", pipe.end)
    lines = logs.configure_logs(LogLevel.INFO)
    ours, theirs = structlog.get_logger(), logging.getLogger("a.library")
    for number in range(3000):
        ours.info("ours", number=number)
        theirs.warning("theirs %s", number)

    # When they are read
    pipe.read()
    assert lines.settle(PATIENCE)
    until(lambda: "log lines were lost" in pipe.text)

    # Then each line is a record, and some say how many are missing
    records = [json.loads(line) for line in pipe.text.splitlines()]
    told = [record for record in records if record["event"].startswith(("ours", "theirs"))]
    losses = [record for record in records if record not in told]
    assert [(record["event"], record["level"]) for record in told[:2]] == [("ours", "info"), ("theirs 0", "warning")]
    assert sum(record["lines"] for record in losses) == 6000 - len(told) > 0
    assert {(record["level"], record["timestamp"][-1]) for record in losses} == {("warning", "Z")}
