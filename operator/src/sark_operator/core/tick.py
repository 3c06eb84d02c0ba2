"""One tick under way: what it was given, and what its steps have made of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sark_api.reasons import Reason
from sark_api.spec import Mode, SarkRolloutSpec
from sark_api.status import SarkRolloutStatus

from .finding import Finding
from .flag_plan import Claim, in_force
from .history import Transition
from .instants import to_milliseconds, without_future
from .judgement import longest_quiet
from .lifecycle import in_step, is_terminal, wanted_percent
from .observation import Identity, Observation
from .problems import find_problems
from .sighting import Sighting, look

OPERATOR: Final = "operator"
USER: Final = "user by spec"


@dataclass(slots=True)
class Tick:
    """The inputs of a tick, and the drafts its steps change. Each step sees what the ones before it decided."""

    identity: Identity
    spec: SarkRolloutSpec
    observation: Observation
    now: datetime
    before: SarkRolloutStatus
    """The status as it was read, with no instant in the future."""
    resting: bool
    """Whether the rollout was terminal when the tick began, and has not been restarted since. It no longer holds its target."""
    status: SarkRolloutStatus
    """The draft of the next status."""
    problems: tuple[Finding, ...]
    """What of the input must be mended before anything can advance, the gravest first."""
    sighting: Sighting
    """What the sidecars say of the share the draft wants."""
    hold: Finding | None = None
    """Why the rollout is not further; the first step that finds a reason sets it."""
    transitions: list[Transition] = field(default_factory=list)

    @classmethod
    def begin(
        cls, identity: Identity, spec: SarkRolloutSpec, status: SarkRolloutStatus, observation: Observation, now: datetime
    ) -> Tick:
        """Return a tick at which nothing has been decided."""
        now = to_milliseconds(now)
        before = without_future(status, now, longest_quiet(spec.criteria))
        terminal = is_terminal(spec, before, now)
        status = _with_document_in_force(Claim(identity, spec, before, observation, terminal, now))
        return cls(
            identity=identity,
            spec=spec,
            observation=observation,
            now=now,
            before=before,
            resting=terminal,
            status=status,
            problems=find_problems(identity, spec, observation, terminal=terminal),
            sighting=look(identity, spec, status, observation, now),
        )

    @property
    def percent(self) -> int:
        """The share the draft wants."""
        return wanted_percent(self.status)

    @property
    def in_step(self) -> bool:
        """Whether the draft has something in force that can be taken back."""
        return in_step(self.status)

    @property
    def automatic(self) -> bool:
        """Whether the operator may advance by itself."""
        return self.spec.mode is Mode.AUTO and not self.identity.deleting

    def restart(self, status: SarkRolloutStatus) -> None:
        """Begin anew with `status`: the rollout claims its target again."""
        self.status, self.resting = status, False
        self.problems = find_problems(self.identity, self.spec, self.observation, terminal=False)
        self.look_again()

    def change(self, **fields: object) -> None:
        """Change the draft."""
        self.status = self.status.model_copy(update=fields)

    def record(self, reason: Reason, actor: str, from_percent: int, message: str) -> None:
        """Note a transition that ends at the share the draft wants now."""
        self.transitions.append(Transition(reason, actor, from_percent, self.percent, message))

    def claim(self) -> Claim:
        """Return what the draft asks of the flags."""
        return Claim(self.identity, self.spec, self.status, self.observation, self.resting, self.now)

    def look_again(self) -> None:
        """Take a new look at flags and sidecars, because the draft now wants something else of them."""
        self.status = _with_document_in_force(self.claim())
        self.sighting = look(self.identity, self.spec, self.status, self.observation, self.now)


def _with_document_in_force(claim: Claim) -> SarkRolloutStatus:
    """Return the status with the document in force taken over, where it is already what the status wants.

    An operator that died after it wrote the flags may have left it so.
    """
    return claim.status.model_copy(update={"flags": in_force(claim) or claim.status.flags})
