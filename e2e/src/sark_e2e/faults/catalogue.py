"""Every fault."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .fault import Fault, Status
from .flag_faults import FLAG_FAULTS
from .link import Weather
from .stand import MOST_CONNECTIONS, Stand


def _opa_left_alone(status: Status) -> bool:
    return bool(status["opa"]["breaker"]["state"] != "closed")


def _redis_left_alone(status: Status) -> bool:
    return bool(status["cache"]["redis_problem"]) and status["cache"]["redis_breaker"]["state"] != "closed"


def _opa_link(weather: Weather) -> Callable[[Stand], None]:
    return lambda stand: stand.opa_link.become(weather)


def _redis_link(weather: Weather) -> Callable[[Stand], None]:
    return lambda stand: stand.redis_link.become(weather)


def _both_links(weather: Weather) -> Callable[[Stand], None]:
    def become(stand: Stand) -> None:
        stand.opa_link.become(weather)
        stand.redis_link.become(weather)

    return become


def _fill_redis(stand: Stand) -> None:
    stand.redis_command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    stand.redis_command("CONFIG", "SET", "maxmemory", "1")


def _inject(text: str) -> Callable[[Stand], None]:
    def write(stand: Stand) -> None:
        fresh = stand.fault_file.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(stand.fault_file)

    return write


def _hide_policy(stand: Stand) -> None:
    (stand.policies / "mcp" / "gateway.rego").rename(stand.folder / "hidden.rego")


def _show_policy(stand: Stand) -> None:
    (stand.folder / "hidden.rego").rename(stand.policies / "mcp" / "gateway.rego")


def _break_policy(stand: Stand) -> None:
    (stand.policies / "broken.rego").write_text("package broken\n\nallow if {\n", encoding="utf-8")


@dataclass(slots=True)
class _Flood:
    """Clients that connect, send half a request, and wait."""

    connections: list[socket.socket] = field(default_factory=list)

    def begin(self, stand: Stand) -> None:
        for _ in range(4 * MOST_CONNECTIONS):
            connection = socket.create_connection((stand.host, 8180), timeout=5)
            connection.sendall(b"POST /v1/data HTTP/1.1\r\nHost: a\r\n")
            self.connections.append(connection)

    def end(self, _: Stand) -> None:
        for connection in self.connections:
            connection.close()
        self.connections.clear()


_FLOOD: Final = _Flood()
FAULTS: Final = (
    Fault("OPA killed", lambda stand: stand.opa.kill(), lambda stand: stand.opa.start(), _opa_left_alone),
    Fault(
        "OPA hangs (SIGSTOP)",
        lambda stand: stand.opa.send(signal.SIGSTOP),
        lambda stand: stand.opa.send(signal.SIGCONT),
        _opa_left_alone,
    ),
    Fault("OPA slow (1 s an answer)", _opa_link(Weather.SLOW), _opa_link(Weather.FAIR), _opa_left_alone),
    Fault("a proxy answers 502 for OPA", _opa_link(Weather.NONSENSE), _opa_link(Weather.FAIR), _opa_left_alone),
    Fault("link to OPA cut", _opa_link(Weather.CUT), _opa_link(Weather.FAIR), _opa_left_alone),
    Fault("link to OPA a black hole", _opa_link(Weather.FROZEN), _opa_link(Weather.FAIR), _opa_left_alone),
    Fault(
        "Redis killed",
        lambda stand: stand.redis.kill(),
        lambda stand: stand.redis.start(),
        _redis_left_alone,
        hurts_baseline=False,
    ),
    Fault(
        "Redis hangs (SIGSTOP)",
        lambda stand: stand.redis.send(signal.SIGSTOP),
        lambda stand: stand.redis.send(signal.SIGCONT),
        _redis_left_alone,
        hurts_baseline=False,
    ),
    Fault(
        "Redis full (noeviction)",
        _fill_redis,
        lambda stand: stand.redis_command("CONFIG", "SET", "maxmemory", "64mb"),
        lambda status: bool(status["cache"]["redis_problem"]),
        hurts_baseline=False,
    ),
    Fault(
        "link to Redis a black hole",
        _redis_link(Weather.FROZEN),
        _redis_link(Weather.FAIR),
        _redis_left_alone,
        hurts_baseline=False,
    ),
    Fault("both links cut", _both_links(Weather.CUT), _both_links(Weather.FAIR), _opa_left_alone),
    Fault(
        "every evaluation of the new arm fails",
        _inject('{"rust": {"error_percent": 100}}'),
        _inject("{}"),
        lambda status: bool(status["faults"]["rust"]["error_percent"] == 100),
        hurts_baseline=False,
    ),
    Fault(
        "half of the engine's evaluations panic",
        _inject('{"rust": {"panic_percent": 50}}'),
        _inject("{}"),
        lambda status: bool(status["faults"]["rust"]["panic_percent"] == 50),
        hurts_baseline=False,
    ),
    Fault(
        "policy deleted from the folder",
        _hide_policy,
        _show_policy,
        # A folder without a policy is refused, and the last good set goes on serving: both arms still agree.
        lambda status: "no *.rego file" in status["policies"]["problem"],
        hurts_baseline=False,
    ),
    Fault(
        "policy that does not compile",
        _break_policy,
        lambda stand: (stand.policies / "broken.rego").unlink(),
        lambda status: "broken.rego" in status["policies"]["problem"],
        hurts_baseline=False,
    ),
    Fault(
        f"{4 * MOST_CONNECTIONS} clients with half a request",
        _FLOOD.begin,
        _FLOOD.end,
        lambda _: True,
        hurts_new_arm=True,
        passes=False,
    ),
    *FLAG_FAULTS,
)
