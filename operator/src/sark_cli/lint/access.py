"""Whether the operator would ask the Prometheus that a rollout names, by the operator's own file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sark_api.spec import SarkRolloutSpec
from sark_operator.core.observation import Missing

from .finding import Finding, Level

if TYPE_CHECKING:
    from sark_operator.shell.prometheus_access import PrometheusServers


def check_access(body: Any, servers: PrometheusServers, namespace: str = "") -> Iterator[Finding]:
    """Yield why a rollout that is right in itself would never see its metrics.

    `namespace` is the one it will be in when the file names none.
    """
    spec = SarkRolloutSpec.model_validate(body["spec"])
    meant = (body.get("metadata") or {}).get("namespace") or namespace or "default"
    access = servers.access(spec.prometheus, meant)
    if isinstance(access, Missing):
        yield Finding(Level.ERROR, ("spec", "prometheus", "address"), access.message)
