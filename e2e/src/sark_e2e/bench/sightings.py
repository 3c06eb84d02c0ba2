"""Two things seen from outside while a rollout reverts: the breach in Prometheus, and the flag document in the API.

Both are watched by threads of the benchmark, so that nothing rests on what the operator says of itself.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from kubernetes import client, watch

from sark_api.flags import FlagDocumentError, parse_flag_document
from sark_api.names import ARM_NEW, FLAGS_KEY, LABEL_IMPLEMENTATION, LABEL_ROLLOUT
from sark_api.spec import ErrorRate
from sark_api.status import Verdict
from sark_e2e.control_plane import ControlPlane
from sark_operator.core.observation import ArmWindow
from sark_operator.core.verdicts.error_rate import judge_error_rate
from sark_operator.shell import promql

from .failure import BenchError

_POLL_SECONDS: Final = 0.02
_TIMEOUT_SECONDS: Final = 5
_WATCH_SECONDS: Final = 10
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Sighting:
    """Looks for one thing in a thread, from entering the block until it is seen or the block ends."""

    def __init__(self, what: str) -> None:
        """Look for `what`, a clause for people."""
        self._what = what
        self._ended = threading.Event()
        self._seen = threading.Event()
        self._at = 0.0
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="sighting", daemon=True)

    def at(self, *, seconds: float) -> float:
        """Return when it was seen, in Unix seconds, waiting for up to `seconds`. Raises BenchError."""
        if not self._seen.wait(seconds):
            raise BenchError(f"{self._what}: not seen within {seconds:.0f} s{self._problem}")
        return self._at

    def look(self) -> float | None:
        """Look once and return when it was seen, None while it is not there."""
        raise NotImplementedError

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                at = self.look()
            except Exception as error:  # noqa: BLE001 - it is told to whoever waits
                self._problem = f" ({error})"
                at = None
            if at is not None:
                self._at = at
                self._seen.set()
                return
            self._ended.wait(_POLL_SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(timeout=_WATCH_SECONDS + _TIMEOUT_SECONDS)


class BreachSighting(Sighting):
    """Asks Prometheus the operator's own question and judges it as the operator does."""

    def __init__(self, prometheus: str, rollout: str, settings: ErrorRate, window: timedelta) -> None:
        super().__init__(f"an error rate of {rollout} above its limit in Prometheus")
        self._url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': promql.requests(window)})}"
        self._rollout = rollout
        self._settings = settings
        self._window = window

    def look(self) -> float | None:
        """Return when Prometheus was asked, if what it answered is a breach."""
        asked = time.time()
        with _OPENER.open(self._url, timeout=_TIMEOUT_SECONDS) as answer:
            found = json.load(answer)["data"]["result"]
        arms = {ARM_NEW: new_arm(found, self._rollout)}
        verdict = judge_error_rate(self._settings, self._window, arms).verdict
        return asked if verdict is Verdict.BREACH else None


class ZeroSighting(Sighting):
    """Watches the flags ConfigMap through the API until its document asks for 0%."""

    def __init__(self, control_plane: ControlPlane, namespace: str, config_map: str) -> None:
        super().__init__(f"0% in ConfigMap {namespace}/{config_map}")
        self._control_plane = control_plane
        self._namespace = namespace
        self._config_map = config_map

    def look(self) -> float | None:
        """Follow one watch to its end or to the document."""
        with self._control_plane.client() as api:
            changes = watch.Watch()  # type: ignore[no-untyped-call]
            for change in changes.stream(  # type: ignore[no-untyped-call]
                client.CoreV1Api(api).list_namespaced_config_map,
                self._namespace,
                field_selector=f"metadata.name={self._config_map}",
                timeout_seconds=_WATCH_SECONDS,
            ):
                at = time.time()
                if asks_for_zero(change["object"].data or {}):
                    changes.stop()  # type: ignore[no-untyped-call]
                    return at
        return None


def new_arm(result: Iterable[Mapping[str, Any]], rollout: str) -> ArmWindow:
    """Return the new arm's requests and errors in Prometheus' answer to `promql.requests`."""
    requests = errors = 0.0
    for series in result:
        labels = series["metric"]
        if labels.get(LABEL_ROLLOUT) != rollout or labels.get(LABEL_IMPLEMENTATION) != ARM_NEW:
            continue
        number = float(series["value"][1])
        requests += number
        errors += number if labels.get("result") == "error" else 0.0
    return ArmWindow(requests=requests, errors=errors)


def asks_for_zero(data: Mapping[str, str]) -> bool:
    """Return whether a flags ConfigMap's data holds a valid document of 0%."""
    try:
        return parse_flag_document(data.get(FLAGS_KEY, "")).percentage == 0
    except FlagDocumentError:
        return False
