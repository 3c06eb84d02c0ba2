"""What the C library is told about memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_RESIDENT = """
import threading
from sark_operator.shell.allocation import give_back_free_pages, give_back_large_pieces

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
"""
_PROGRAM = f"""{_RESIDENT}
if give:
    assert give_back_large_pieces()

def work(barrier):
    pieces = [bytes(8 * 1024 * 1024 + number) for number in range(3)]
    b"".join(pieces)
    barrier.wait()

for _ in range(2):
    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=work, args=(barrier,)) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
print(resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such settings")
def test_what_many_threads_needed_for_a_moment_is_given_back() -> None:
    # Given a program whose threads each need large pieces twice, when it has told the C library so
    program = [sys.executable, "-c", f"give = True{_PROGRAM}"]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)

    # Then of the 190 MiB and more there were hardly anything is left
    assert int(ended.stdout) < 60 * 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such function")
def test_pages_that_are_free_between_pieces_in_use_are_given_back() -> None:
    # Given a program that took 32 MiB in small pieces, and lets go of all but every 64th
    program = f"""{_RESIDENT}
pieces = [bytes(4000 + number % 7) for number in range(8192)]
pieces = pieces[::64]
before = resident()
assert give_back_free_pages()
print(before - resident(), len(pieces))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    # Then nearly all of it is given back, though pieces in use lie everywhere
    assert int(ended.stdout.split()[0]) > 24 * 1024
