"""Settings of the circuit breakers."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from sark_sidecar.breaker import BreakerRule
from sark_sidecar.seconds import Seconds

from .fields import Section


class OpaBreakerSettings(Section):
    """When OPA has failed so often that it is left alone for a moment."""

    failures: int = Field(default=5, ge=1, le=1000)
    """So many in a row; or half of the last twenty."""
    slow_after: Seconds = Field(default=5.0, gt=0, le=60)
    """A question that takes longer counts as failed."""
    pause: Seconds = Field(default=0.5, gt=0, le=60)
    """Before the first try; doubled for each that fails."""
    longest_pause: Seconds = Field(default=5.0, gt=0, le=300)
    """The pause grows no further."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.pause > self.longest_pause:
            raise ValueError("pause must not be above longest_pause")
        return self

    def rule(self) -> BreakerRule:
        """Return it as the breaker takes it."""
        return BreakerRule(self.failures, self.slow_after, self.pause, self.longest_pause)


class RedisBreakerSettings(OpaBreakerSettings):
    """The same for Redis: it only saves time, so it is given up sooner."""

    failures: int = Field(default=3, ge=1, le=1000)
    slow_after: Seconds = Field(default=0.25, gt=0, le=60)
