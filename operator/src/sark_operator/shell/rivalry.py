"""Who holds a target when two rollouts name the same one.

Two rollouts are rivals when they name one flags ConfigMap, or when every pod of one is a pod of the other: labels of a selector
are ANDed, so that is where the labels of one are among those of the other. Both see the same facts, so that both come to the
same answer: exactly one of a pair holds the target, and the other waits.

Selectors that neither hold each other nor contradict each other (`app: a` beside `tier: b`) may share a pod or not, and labels
do not tell. They are no rivals: most such pairs never meet. Where they do the pod follows one ConfigMap, and the rollout of the
other waits for it and names it: nothing is proven or raised on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sark_api.flags import FlagDocument
from sark_api.spec import Target
from sark_operator.core.flag_document import is_ours, readable_document
from sark_operator.core.lifecycle import is_terminal
from sark_operator.core.observation import Missing, ObservedFlags
from sark_operator.shell.api import RolloutObject, UnreadableError

_UNDATED = datetime.max.replace(tzinfo=UTC)
_Rank = tuple[bool, bool, datetime, str]


def find_rival(mine: RolloutObject, others: Iterable[RolloutObject], flags: ObservedFlags | Missing, now: datetime) -> str:
    """Return namespace/name of the rollout that holds the target of `mine`, or "" when `mine` holds it.

    Only rollouts that can still do something by themselves compete. One that is terminal has let go, and so has one that is
    being deleted, unless its document is in force and our finalizer is on it: then its baseline is still to be restored. When
    `mine` does not compete, it yields to any that does. Of two that compete, the one holds the target that

    1. is named in the flag document in force, `flags`: taking the target from it would move its fleet under its feet;
    2. has a share in force according to its status: that is all there is to see when the ConfigMap was emptied, cannot be
       read, or is not the one the other names;
    3. is older, by creationTimestamp and then by uid.

    An `other` that cannot be read holds the target when the document in force names it, for then a share of its may be out
    there, and nobody here can tell that it has ended; deleting it ends the wait. Otherwise it is ignored: this operator does
    nothing for it either, and one broken object must not stop its whole namespace.

    Raises:
        UnreadableError: `mine` cannot be read.
    """
    document, target = readable_document(flags), mine.spec().target
    competing = [
        other
        for other in others
        if other.uid != mine.uid and other.namespace == mine.namespace and _competes_for(target, other, document, now)
    ]
    if not competing:
        return ""
    rank, competes = _rank(mine, document), _has_work(mine, document, now)
    stronger = ((_rank(other, document), other.key) for other in competing)
    return min((theirs for theirs in stronger if not competes or theirs[0] < rank), default=(rank, ""))[1]


def _competes_for(target: Target, other: RolloutObject, document: FlagDocument | None, now: datetime) -> bool:
    if is_elsewhere(target, other) and not _named(other, document):
        return False
    try:
        return _same(target, other.spec().target) and _has_work(other, document, now)
    except UnreadableError:
        return _named(other, document) and not other.deleting


def is_elsewhere(target: Target, other: RolloutObject) -> bool:
    """Return whether `other` plainly names another target, as most do. Its status has no part in that."""
    flags, labels = other.target.get("flagsConfigMap"), other.target.get("matchLabels")
    if flags in (None, target.flags_config_map) or not isinstance(labels, dict):
        return False
    return not _nested(target.match_labels, labels)


def _has_work(rollout: RolloutObject, document: FlagDocument | None, now: datetime) -> bool:
    if rollout.deleting and not (rollout.guarded and _named(rollout, document)):
        return False
    return not is_terminal(rollout.spec(), rollout.status(), now)


def _same(one: Target, other: Target) -> bool:
    return one.flags_config_map == other.flags_config_map or _nested(one.match_labels, other.match_labels)


def _nested(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Return whether the labels of one are among those of the other: its selector takes every pod that the other's does."""
    fewer, more = (one, other) if len(one) <= len(other) else (other, one)
    return fewer.items() <= more.items()


def _rank(rollout: RolloutObject, document: FlagDocument | None) -> _Rank:
    """Return what two rollouts are compared by; the smaller one holds the target."""
    created_at = rollout.identity().created_at or _UNDATED
    return (not _named(rollout, document), not _has_share(rollout), created_at, rollout.uid)


def _named(rollout: RolloutObject, document: FlagDocument | None) -> bool:
    # Most are another's by their name: a look at it is a tenth of what the whole identity costs.
    return document is not None and document.rollout == rollout.key and is_ours(rollout.identity(), document)


def _has_share(rollout: RolloutObject) -> bool:
    try:
        flags = rollout.status().flags
    except UnreadableError:
        return False
    return flags is not None and flags.percent > 0
