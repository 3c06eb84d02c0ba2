"""Documents that are written through the REST API, laid over what the policies' source holds.

OPA holds them, and what OPA says they are is what the embedded engine is given: there is one truth, and it is not ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sark_sidecar import exact_json

from .sources import PolicySourceError, PolicySources


def check_names(names: Iterable[str], sources: PolicySources, packages: Iterable[str]) -> None:
    """Refuse a source that has anything under a name that clients write; `packages` are without the leading `data.`.

    Raises:
        PolicySourceError: it has.
    """
    taken = {package.partition(".")[0].partition("[")[0] for package in packages}
    for name in names:
        for what in (["data"] if name in sources.data else []) + (["a package"] if name in taken else []):
            raise PolicySourceError(
                f"it has {what} at data.{name}, which writes.documents lets clients write: take it out of one of them"
            )


def written_over(sources: PolicySources, documents: Mapping[str, Any]) -> PolicySources:
    """Return the sources with these documents beside their own."""
    if not documents:
        return sources
    hasher = hashlib.sha256(sources.digest.encode())
    hasher.update(exact_json.dumps(dict(documents)))
    return replace(sources, data={**sources.data, **documents}, digest=hasher.hexdigest())
