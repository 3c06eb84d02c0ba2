"""Who else wrote the flag document, and whether that keeps the operator from writing it."""

from __future__ import annotations

from sark_api import reasons
from sark_api.spec import FlagEdits, SarkRolloutSpec

from .finding import Finding, found
from .observation import Missing, Observation


def other_owners(observation: Observation) -> tuple[str, ...]:
    """Return the field managers beside the operator that own a key of the document; keys that hold nothing are nobody's."""
    flags = observation.flags
    if isinstance(flags, Missing) or (flags.document is None and not flags.error):
        return ()
    return flags.owners


def held_by_others(spec: SarkRolloutSpec, observation: Observation) -> Finding | None:
    """Return what keeps the rollout from going on while somebody else owns the flags and shall be left alone."""
    owners = other_owners(observation)
    if not owners or spec.flag_edits is not FlagEdits.HOLD:
        return None
    return found(reasons.FLAGS_HELD, owners=", ".join(owners), name=spec.target.flags_config_map)
