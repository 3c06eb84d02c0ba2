"""A SarkRollout that has been applied: read it, wait for it with a deadline, edit it, delete it.

Every wait ends: with the rollout as it was when the expectation was met, or with an ExpectationError that says what was
expected and everything the status tells about why it did not come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_api.names import GROUP, PLURAL, VERSION
from sark_api.status import Condition, ConditionStatus, Phase
from sark_cli.explanation import diagnose
from sark_cli.rollout import Rollout

Test = Callable[[Rollout], bool]
POLL_SECONDS: Final = 0.15
_NOT_FOUND: Final = 404
_GONE: Final = "it is gone"


class ExpectationError(AssertionError):
    """The rollout did not do what was expected; the message says what that was and what it did instead."""


class AppliedRollout:
    """One object of the API. `watch` is told of every reading, so that waiting can be shown."""

    def __init__(self, api: client.ApiClient, namespace: str, name: str, *, watch: Callable[[Rollout], None]) -> None:
        self._objects = client.CustomObjectsApi(api)
        self._place = (GROUP, VERSION, namespace, PLURAL, name)
        self._watch = watch
        self.namespace = namespace
        self.name = name

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    def read(self) -> Rollout:
        """Return it as it is now. Raises ExpectationError when it does not exist."""
        rollout = self._find()
        if rollout is None:
            raise ExpectationError(f"{self.key}: it should exist, and {_GONE}")
        self._watch(rollout)
        return rollout

    def until(self, what: str, test: Test, *, seconds: float, unless: Test = lambda _: False) -> Rollout:
        """Wait for `test` to hold; give up after `seconds`, or as soon as `unless` holds. `what` names it for people."""
        deadline = time.monotonic() + seconds
        while not test(rollout := self.read()):
            if unless(rollout):
                raise ExpectationError(f"{self.key}: expected {what}; that will not come any more\n{diagnose(rollout)}")
            if time.monotonic() > deadline:
                raise ExpectationError(f"{self.key}: expected {what} within {seconds:.0f} s\n{diagnose(rollout)}")
            time.sleep(POLL_SECONDS)
        return rollout

    def stays(self, what: str, test: Test, *, seconds: float) -> Rollout:
        """Expect `test` to hold at every reading for `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            if not test(rollout := self.read()):
                raise ExpectationError(f"{self.key}: expected {what} for {seconds:.0f} s\n{diagnose(rollout)}")
            if time.monotonic() > deadline:
                return rollout
            time.sleep(POLL_SECONDS)

    def becomes(self, phase: Phase, *, seconds: float) -> Rollout:
        """Wait for `phase`; a revert on the way there ends the wait."""
        way_back = (Phase.REVERTING, Phase.REVERTED)
        unless: Test = is_reverted if phase not in way_back else (lambda rollout: rollout.status.phase is Phase.COMPLETED)
        return self.until(f"phase {phase}", lambda rollout: rollout.status.phase is phase, seconds=seconds, unless=unless)

    def reaches(self, percent: int, *, seconds: float) -> Rollout:
        """Wait until every ready sidecar has confirmed `percent`; a revert on the way there ends the wait."""
        return self.until(
            f"{percent}% confirmed by every sidecar",
            lambda rollout: serves(rollout, percent) and is_converged(rollout),
            seconds=seconds,
            unless=is_reverted,
        )

    def bakes(self, percent: int, *, milliseconds: int, seconds: float) -> Rollout:
        """Wait until at least so many milliseconds of the step of `percent` are proven."""
        return self.until(
            f"{milliseconds} ms of {percent}% proven",
            lambda rollout: serves(rollout, percent) and proven_milliseconds(rollout) >= milliseconds,
            seconds=seconds,
            unless=is_reverted,
        )

    def proves_more(self, percent: int, *, seconds: float) -> Rollout:
        """Wait until more of the step of `percent` is proven than is now."""
        return self.bakes(percent, milliseconds=proven_milliseconds(self.read()) + 1, seconds=seconds)

    def shows(self, kind: str, status: ConditionStatus, reason: str, *, seconds: float) -> Condition:
        """Wait until the condition `kind` is `status` because of `reason`, and return it."""

        def matching(rollout: Rollout) -> Condition | None:
            wanted = (kind, status, reason)
            return next((each for each in rollout.status.conditions if (each.type, each.status, each.reason) == wanted), None)

        what = f"condition {kind} {status} because of {reason}"
        found = matching(self.until(what, lambda rollout: matching(rollout) is not None, seconds=seconds))
        assert found is not None  # noqa: S101 - what the wait was for
        return found

    def edit(self, spec: Mapping[str, Any]) -> None:
        """Lay `spec` over the object's, as `kubectl patch --type=merge` does."""
        self._objects.patch_namespaced_custom_object(*self._place, {"spec": dict(spec)})

    def delete(self) -> None:
        """Ask for its deletion and return at once, as `kubectl delete --wait=false` does."""
        self._objects.delete_namespaced_custom_object(*self._place)

    def vanishes(self, *, seconds: float) -> None:
        """Wait until it no longer exists."""
        deadline = time.monotonic() + seconds
        while (rollout := self._find()) is not None:
            self._watch(rollout)
            if time.monotonic() > deadline:
                raise ExpectationError(f"{self.key}: expected its end within {seconds:.0f} s\n{diagnose(rollout)}")
            time.sleep(POLL_SECONDS)

    def release(self) -> None:
        """Drop its finalizers, so that it can go although no operator is there any more."""
        try:
            self._objects.patch_namespaced_custom_object(*self._place, {"metadata": {"finalizers": None}})
        except ApiException as error:
            if error.status != _NOT_FOUND:
                raise

    def _find(self) -> Rollout | None:
        try:
            body: Any = self._objects.get_namespaced_custom_object(*self._place)
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return Rollout.from_object(body)


def serves(rollout: Rollout, percent: int) -> bool:
    """Return whether `percent` is the share the rollout has written."""
    return rollout.status.flags is not None and rollout.status.flags.percent == percent


def is_converged(rollout: Rollout) -> bool:
    """Return whether every ready sidecar confirms the share."""
    return rollout.status.convergence is not None and rollout.status.convergence.since is not None


def is_reverted(rollout: Rollout) -> bool:
    """Return whether it is on its way back, or has gone back."""
    return rollout.status.phase in (Phase.REVERTING, Phase.REVERTED)


def proven_milliseconds(rollout: Rollout) -> int:
    """Return the proven time of the present step, in milliseconds."""
    return rollout.status.bake.proven_milliseconds if rollout.status.bake else 0
