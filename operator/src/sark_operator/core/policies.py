"""What of the fleet's policies the new arm does not answer, so that an SRE sees it before asking why a path never moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sark_api.reasons import shorten
from sark_api.report import MAX_BASELINE_ONLY, MAX_PATH, MAX_REASON
from sark_api.status import BaselineOnlyPath, PolicyStatus

from .observation import PodReport

_MAX_REVISION = 64


def policy_status(pods: Sequence[PodReport]) -> PolicyStatus | None:
    """Return what the sidecars of the commonest policy revision say; None when none has said anything.

    Engines of different versions may differ: the one that leaves most to baseline speaks for all.
    """
    votes = Counter(pod.policy_revision for pod in pods if pod.policy_revision)
    if not votes:
        return None
    revision = max(votes, key=lambda candidate: (votes[candidate], candidate))
    speaker = max(
        (pod for pod in pods if pod.policy_revision == revision), key=lambda pod: (pod.baseline_only_count, pod.baseline_only)
    )
    return PolicyStatus(
        revision=shorten(revision, _MAX_REVISION),
        baseline_only_count=speaker.baseline_only_count,
        baseline_only=[
            BaselineOnlyPath(path=shorten(path, MAX_PATH), reason=shorten(reason, MAX_REASON))
            for path, reason in speaker.baseline_only[:MAX_BASELINE_ONLY]
        ],
    )
