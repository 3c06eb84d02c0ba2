"""Where a sidecar's processor time goes while it is asked.

The Python arm: py-spy samples of its stacks; one that waits in the kernel does not count, and a stack is given to the part of
the program that its innermost known frame names. The Rust arm: its threads have no Python stack, so py-spy does not see them;
the kernel's clock of each thread tells which of them work, and how much of that is the kernel's own work on sockets.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sark_e2e.bench.failure import BenchError

from .load import of_usage
from .open_loop import run as run_open_loop
from .sampling import Sampler
from .stand import PYTHON, RUST, Stand
from .suite import Recording, Suite

RATES: Final = {"python": 400, "rust": 10_000}
"""Questions a second while it is looked at: well below what either arm holds, as processors are shared with the load."""
_SECONDS: Final = 10
_TOP: Final = 12
_WAITING: Final = re.compile(r"^(epoll_wait|poll|select|clone|futex|pthread_cond|0x[0-9a-f]+ \(libc)")
"""Innermost frames of a thread that rests; py-spy cannot always tell."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PARTS: Final = (
    (
        "kernel: sockets",
        (
            "__send",
            "__recv",
            "writev",
            "__writev",
            "libc_send",
            "libc_recv",
            "__libc_write",
            "__read",
            "send (libc",
            "recv (libc",
            "_sock_sendmsg",
        ),
    ),
    ("engine: evaluation", ("sark_engine::program", "sark_engine::evaluat", "regorus")),
    ("engine: cache", ("sark_engine::cache", "DecisionCache", "siphash")),
    ("data plane: HTTP", ("sark_serve", "hyper", "httparse")),
    ("tokio", ("tokio", "mio::")),
    ("redis client", ("redis/", "hiredis")),
    ("aiohttp", ("aiohttp/", "aiohttp.")),
    ("asyncio", ("asyncio/", "selectors.py")),
    ("JSON", ("orjson", "json/")),
    ("sidecar: Python", ("sark_sidecar/",)),
)


def parts(folded: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Return samples by part of the program and by innermost frame, from lines of `frame;frame;... count`."""
    by_part: Counter[str] = Counter()
    by_frame: Counter[str] = Counter()
    for line in folded:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if not count.isdigit() or not stack or _WAITING.match(frames[-1]):
            continue
        by_frame[frames[-1]] += int(count)
        by_part[_part(frames)] += int(count)
    return by_part, by_frame


def _part(frames: list[str]) -> str:
    for frame in reversed(frames):
        for part, words in _PARTS:
            if any(word in frame for word in words):
                return part
    return "other"


def threads(pid: int) -> dict[str, float]:
    """Return seconds of processor time so far, by name of thread and where it ran: in the program or in the kernel."""
    found: dict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (task / "stat").read_text(encoding="utf-8")
        except OSError:
            continue
        name = re.sub(r"[-_ ]?\d+$", "", text[text.index("(") + 1 : text.rindex(")")])
        user, kernel = (int(field) / _TICKS for field in text[text.rindex(")") + 2 :].split()[11:13])
        found[f"thread {name}, in the program"] += user
        found[f"thread {name}, in the kernel"] += kernel
    return dict(found)


def look(suite: Suite, stand: Stand, arm: str) -> None:
    """Profile the sidecar of an arm under its rate and keep the shares. Raises BenchError."""
    tool = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if tool is None:
        raise BenchError("py-spy was not found: run `make performance-tools`")
    asked = stand.asked["mixed"]
    recording = Recording(suite, "stress", "profile", arm, "py-spy", 60)
    file = stand.folder / f"profile-{arm}.folded"
    command = [tool, "record", "--native", "--format=raw", "--rate=200", f"--duration={_SECONDS}", f"--output={file}"]
    with subprocess.Popen(
        [*command, f"--pid={stand.sidecars[arm].pid}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        before = threads(stand.sidecars[arm].pid)
        with Sampler(stand.servers(arm)) as usage:
            run_open_loop(
                suite.client,
                url=stand.url(arm, asked.path),
                bodies=asked.bodies,
                answers=asked.answers,
                rate=RATES[arm],
                connections=64,
                seconds=_SECONDS + 2,
            )
        after = threads(stand.sidecars[arm].pid)
        said, _ = child.communicate(timeout=60)
    if child.returncode != 0 or not file.exists():
        raise BenchError(f"py-spy could not look into the sidecar: {said.decode(errors='replace').strip()[-500:]}")
    by_part, by_frame = parts(file.read_text(encoding="utf-8").splitlines())
    if arm == RUST:
        by_part = Counter({name: round(1000 * (seconds - before.get(name, 0.0))) for name, seconds in after.items()})
    total, seen = sum(by_part.values()), sum(by_frame.values())
    if total == 0:
        raise BenchError("nothing ran in the sidecar while it was looked at")
    shares = {f"part: {name}": (100 * count / total, "%") for name, count in by_part.most_common() if count}
    frames = {f"frame: {name[:120]}": (100 * count / max(seen, 1), "%") for name, count in by_frame.most_common(_TOP)}
    recording.keep(
        {"samples": (seen, ""), "rate": (RATES[arm], "1/s")} | shares | frames | of_usage(usage) | _split(stand, arm)
    )


def _split(stand: Stand, arm: str) -> dict[str, tuple[float, str]]:
    """Return the processes' shares of all processor time the arm has used so far."""
    from sark_e2e.bench.cpu_time import cpu_seconds

    used = {name: cpu_seconds([pid]) for name, pid in stand.servers(arm).items()}
    total = sum(used.values())
    return {f"process: {name}": (100 * value / total, "%") for name, value in used.items()} if arm == PYTHON else {}
