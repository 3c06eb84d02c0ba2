"""Policies that compiled: what every source hands over, and what serves."""

from __future__ import annotations

from dataclasses import dataclass

import sark_engine
from sark_engine import Policies

from sark_sidecar import exact_json

from .sources import PolicySourceError, PolicySources
from .verdicts import PolicyVerdicts


@dataclass(frozen=True, slots=True)
class CompiledPolicies:
    """Policies that compiled."""

    policies: Policies
    sources: PolicySources
    """What they were made from."""
    verdicts: PolicyVerdicts
    """What of them the engine answers for."""
    label: str = ""
    """The revision their bundle's manifest gives itself; empty for a folder or a bundle without one."""
    ignored: tuple[str, ...] = ()
    """Sentences about parts of the bundle that do not serve here."""


def compile_sources(
    sources: PolicySources, *, max_memory_bytes: int, label: str = "", ignored: tuple[str, ...] = ()
) -> CompiledPolicies:
    """Compile `sources`. Blocks; call it in a thread.

    Raises:
        PolicySourceError: a module or the data is refused, or the result takes more memory than allowed.
    """
    try:
        policies = Policies(sources.modules, exact_json.dumps(sources.data), max_memory_bytes=max_memory_bytes)
    except exact_json.JsonError as error:
        raise PolicySourceError(f"data: {error}") from error
    except sark_engine.PolicyError as error:
        raise PolicySourceError(str(error)) from error
    return CompiledPolicies(policies, sources, PolicyVerdicts.of(policies), label, ignored)
