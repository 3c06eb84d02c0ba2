"""Settings of the shadow: comparing both arms off the path of requests. Whether, and how much of it, the flags say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sark_sidecar.seconds import Seconds

from .fields import Pointer, Section

_Shown = Annotated[tuple[Pointer, ...], Field(max_length=64)]


class ShadowSettings(Section):
    """Bounds of comparisons, and what of a mismatch may be shown."""

    concurrency: int = Field(default=4, ge=1, le=64)
    """Comparisons at a time, and connections to OPA for them."""
    max_per_second: float = Field(default=100.0, gt=0, le=10_000)
    """Comparisons; what comes beyond that waits, and then finds no room."""
    timeout: Seconds = Field(default=2.0, gt=0, le=60)
    """For one decision of OPA."""
    queue: int = Field(default=1024, ge=1, le=65_536)
    """Requests that wait to be compared; more are counted as dropped."""
    queue_bytes: int = Field(default=16_777_216, ge=65_536, le=1_073_741_824)
    """Bytes of the requests that wait."""
    max_request_bytes: int = Field(default=65_536, ge=1024, le=16_777_216)
    """Of a request with its answer; a larger one is skipped."""
    show_input: _Shown = ()
    """Places in the input whose values a report of a mismatch may show."""
    show_decision: _Shown = ("/allow",)
    """Places in the decision whose values it may show."""
