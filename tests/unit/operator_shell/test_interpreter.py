"""What Python is told before it works."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import gc, json
from sark_operator.shell import interpreter

rounds = 0

def count(phase, info):
    global rounds
    rounds += phase == "start"

text = json.dumps([[number, str(number)] for number in range(100_000)])
interpreter.prepare()
frozen = gc.get_freeze_count()
gc.callbacks.append(count)
kept = json.loads(text)

class Ring:
    pass

for _ in range(100_000):
    ring = Ring()
    ring.self = ring
del ring
left = sum(isinstance(each, Ring) for each in gc.get_objects())
print(rounds, left, frozen)
"""


def test_a_large_answer_is_read_almost_without_looking_and_circles_still_go():
    # Given a process that has set it up, when it reads a hundred thousand pairs and makes as many circles
    ended = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    rounds, left, frozen = map(int, ended.stdout.split())

    # Then it looked some twenty times instead of hundreds, most circles are gone, and what was loaded is left alone
    assert rounds < 60
    assert left < 20_000
    assert frozen > 1_000


def test_the_end_does_what_was_registered_for_it_and_waits_for_no_thread():
    # Given a program with something to do at its end, and a thread that hangs
    program = (
        "import atexit, threading; from sark_operator.shell import interpreter; "
        "atexit.register(print, 'removed'); threading.Thread(target=threading.Event().wait).start(); interpreter.leave(3)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (3, "removed\n")
