"""How soon a sidecar answers everything again when OPA, Redis or the network to both has failed and comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sark_e2e.faults.catalogue import FAULTS
from sark_e2e.faults.rehearsal import rehearse
from sark_e2e.faults.stand import Stand

from .suite import Recording, Suite

FAILURES: Final = {"opa": "OPA killed", "redis": "Redis killed", "network": "both links cut"}
"""What the report calls it: what the catalogue of faults calls it."""
_LASTING_SECONDS: Final = 60.0
_SHORTEST_SECONDS: Final = 3.0


def failures(suite: Suite, folder: Path) -> None:
    """Rehearse the three with half of the subjects in each arm, every answer checked, and keep what was seen."""
    faults = {fault.name: fault for fault in FAULTS}
    with Stand(folder) as stand:
        for name, title in FAILURES.items():
            recording = Recording(suite, "stress", f"recovery-{name}", "both", "faults", _LASTING_SECONDS)
            outcome = rehearse(stand, faults[title], lasting=max(_LASTING_SECONDS * suite.scale, _SHORTEST_SECONDS))
            share = 100 * (1 - outcome.new_arm_answers.get("right", 0) / max(sum(outcome.new_arm_answers.values()), 1))
            recording.keep(
                {
                    "noticed": (outcome.noticed, "s"),
                    "recovered": (outcome.recovered, "s"),
                    "asked": (outcome.asked, ""),
                    "right": (outcome.answers.get("right", 0), ""),
                    "shed": (outcome.answers.get("shed", 0), ""),
                    "failed": (outcome.answers.get("failed", 0), ""),
                    "wrong": (outcome.wrong, ""),
                    "longest-wait": (outcome.longest_wait, "s"),
                    "new-arm-lost": (share, "%"),
                    "new-arm-p50-ratio": (outcome.new_arm_p50_ratio, "x"),
                    "problems": (len(outcome.problems), ""),
                },
                notes=list(outcome.problems),
            )
