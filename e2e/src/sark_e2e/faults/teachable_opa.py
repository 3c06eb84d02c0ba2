"""An OPA that can be told what the embedded engine does not know, while both serve the same policies as far as can be seen.

A difference of policies is seen and holds every step by itself. So the arms are made to answer differently by what the
comparison of policies cannot see: a document beside rules, under a name that no sidecar has ever loaded.
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any, Final

from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.progress import Report, silent

_LISTS: Final = 'package lists\n\nacme := {"open": true}\n'
_GATEWAY: Final = """package mcp.gateway

default decision := {"allow": false, "reason": "%(place)s has no such list"}

decision := {"allow": true, "reason": "on a list"} if data.lists[list].open

list := "acme" if {
	input.user.tenant == "acme"
} else := "others"
"""
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class TeachableOpa(OpaServer):
    """Serves a policy that allows what tenant acme asks, half of the usual load, and refuses the rest."""

    def __init__(self, binary: Path, *, network: LoopbackNetwork, folder: Path, report: Report = silent) -> None:
        policies = folder / "policies"
        policies.mkdir(parents=True)
        # With a text of its own, so that nothing that Redis keeps for another is found.
        (policies / "gateway.rego").write_text(_GATEWAY % {"place": folder.name}, encoding="utf-8")
        (policies / "lists.rego").write_text(_LISTS, encoding="utf-8")
        super().__init__(binary, network=network, folder=folder, policies=policies, report=report)

    @property
    def overrides(self) -> dict[str, dict[str, Any]]:
        """Settings of sidecars that take this one for their baseline, and soon forget what it said."""
        return {"policies": {"directory": str(self.policies)}, "opa": {"url": self.url}, "cache": {"ttl": "1s"}}

    def learn(self) -> None:
        """Allow everybody from now on; the engine goes on refusing."""
        self._ask("PUT", {"open": True})

    def forget(self) -> None:
        """Decide as the engine does again."""
        self._ask("DELETE", None)

    def _ask(self, method: str, document: object) -> None:
        request = urllib.request.Request(  # noqa: S310 - the address is the server's own
            f"{self.url}/v1/data/lists/others",
            data=None if document is None else json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with _OPENER.open(request, timeout=5) as answer:
            answer.read()
