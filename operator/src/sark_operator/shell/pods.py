"""The pods of a namespace, as a list and the watch after it show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sark_operator.shell.api import ReadyPod, RefusedError

MAX_PODS: Final = 3_000
"""A target with more is refused: where all are silent, asking them would not fit into a tick, and nothing be decided."""


class ExpiredError(Exception):
    """The watch cannot go on from where it was: list again."""


class EventError(Exception):
    """The watch sent something that is no event of a pod."""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """What is kept of a ready pod."""

    labels: Mapping[str, str]
    ready: ReadyPod


class Pods:
    """The ready pods of one namespace. A change is taken in one go, so that nobody sees half of it."""

    def __init__(self) -> None:
        self.version = ""
        """The resourceVersion from which a watch goes on."""
        self._ready: dict[str, SeenPod] = {}
        self._answers: dict[tuple[tuple[str, str], ...], tuple[ReadyPod, ...]] = {}
        """What was found by these labels, until something changes."""

    def replace(self, ready: Iterable[SeenPod], version: str) -> None:
        """Take a whole list for what there is."""
        self._ready = {seen.ready.name: seen for seen in ready}
        self._answers.clear()
        self.version = version

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event of the watch.

        Raises:
            ExpiredError: it says that the server no longer has what came after the last one.
            EventError: it says that something else is wrong, or nothing one could understand.
        """
        kind, item = event.get("type"), event.get("object")
        if not isinstance(item, dict):
            raise EventError(f"an event of type {str(kind)[:64]} has no object")
        if kind == "ERROR":
            words = str(item.get("message") or item.get("reason") or "no reason given")[:600]
            raise ExpiredError(words) if item.get("code") == 410 else EventError(words)  # noqa: PLR2004 - HTTP's own number
        version = (item.get("metadata") or {}).get("resourceVersion")
        if not isinstance(version, str) or not version:
            raise EventError(f"an event of type {str(kind)[:64]} has no resourceVersion")
        if kind in ("ADDED", "MODIFIED"):
            self._put(item)
        elif kind == "DELETED":
            self._drop(str(item["metadata"].get("name")))
        elif kind != "BOOKMARK":
            raise EventError(f"an event is of type {str(kind)[:64]}")
        self.version = version

    def matching(self, labels: Mapping[str, str]) -> tuple[ReadyPod, ...]:
        """Return the ready pods that carry all `labels`, by name."""
        wanted = tuple(sorted(labels.items()))
        found = self._answers.get(wanted)
        if found is None:
            ready = (seen.ready for seen in self._ready.values() if labels.items() <= seen.labels.items())
            found = self._answers[wanted] = tuple(sorted(ready, key=lambda pod: pod.name))
        return found

    def _put(self, item: Mapping[str, Any]) -> None:
        seen = seen_pod(item)
        if seen is None:
            self._drop(str(item["metadata"].get("name")))
        elif self._ready.get(seen.ready.name) != seen:
            self._ready[seen.ready.name] = seen
            self._answers.clear()

    def _drop(self, name: str) -> None:
        if self._ready.pop(name, None) is not None:
            self._answers.clear()


def ready_pod(pod: Mapping[str, Any]) -> ReadyPod | None:
    """Return the pod when it is ready, is not going away, and has an address."""
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    if metadata.get("deletionTimestamp") is not None or not status.get("podIP"):
        return None
    conditions = status.get("conditions") or ()
    if not any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions):
        return None
    return ReadyPod(name=str(metadata["name"]), address=str(status["podIP"]))


def seen_pod(item: Mapping[str, Any]) -> SeenPod | None:
    """Return what is kept of the pod when it is ready: a fiftieth of what it is as a document."""
    ready = ready_pod(item)
    return None if ready is None else SeenPod(dict(item["metadata"].get("labels") or {}), ready)


def too_many(labels: Mapping[str, str]) -> RefusedError:
    """Return the error of a target with more than `MAX_PODS`."""
    return RefusedError(f"{selector(labels)} selects more than {MAX_PODS} pods; split the target by another label")


def selector(labels: Mapping[str, str]) -> str:
    """Return the labels as the API server wants them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
