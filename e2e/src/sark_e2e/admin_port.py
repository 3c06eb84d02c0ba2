"""What sidecars say on their admin ports: the flags they apply and, where faults are injected, when the first one struck."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sark_api.report import FLAGS_PATH, FlagReport

from .fleet import Fleet

TIMEOUT_SECONDS: Final = 3.0
MAX_BYTES: Final = 1_048_576

_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class AdminPortError(RuntimeError):
    """A sidecar could not be asked; the message says which and why."""


def flag_reports(fleet: Fleet) -> dict[str, FlagReport]:
    """Return what each of the fleet's sidecars answers at /flags, by pod. Raises AdminPortError."""
    return {pod.name: FlagReport.model_validate(read(pod.sidecar.admin_url + FLAGS_PATH)) for pod in fleet.pods}


def statuses(fleet: Fleet) -> dict[str, Mapping[str, Any]]:
    """Return what each of the fleet's sidecars answers at /v1/status, by pod. Raises AdminPortError."""
    return {pod.name: read(f"{pod.sidecar.admin_url}/v1/status") for pod in fleet.pods}


def first_fault_at(fleet: Fleet) -> datetime | None:
    """Return when the first request of any sidecar was hurt by the faults that are on; None while none was."""
    times = [each["faults"].get("first_fault_at") for each in statuses(fleet).values()]
    return min((datetime.fromisoformat(time) for time in times if time), default=None)


def read(url: str) -> Mapping[str, Any]:
    """Return the JSON object at `url`. Raises AdminPortError."""
    try:
        with _OPENER.open(url, timeout=TIMEOUT_SECONDS) as answer:
            members = json.loads(answer.read(MAX_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AdminPortError(f"GET {url}: {error}") from error
    if not isinstance(members, dict):
        raise AdminPortError(f"GET {url}: a JSON object was expected, not {type(members).__name__}")
    return members
