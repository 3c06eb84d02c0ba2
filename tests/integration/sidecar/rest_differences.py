"""Where the sidecar answers otherwise than OPA, and why. The list may only shrink: an entry that nothing needs fails."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .rest_cases import Case


@dataclass(frozen=True)
class Difference:
    """Requests whose answers differ in these fields at most."""

    name: str
    reason: str
    pattern: str
    fields: frozenset[str]
    arms_differ: bool = False


def _of(name: str, reason: str, pattern: str, fields: str, *, arms_differ: bool = False) -> Difference:
    return Difference(name, reason, pattern, frozenset(fields.split()), arms_differ)


DIFFERENCES = [
    _of("long answers", "OPA's answers are taken up to limits.max_decision_bytes", r"POST .*explain=full.*", "status body"),
    _of(
        "undefined in v0",
        "whether rules exist for the path is not told apart in the message",
        r"POST /v0/data/(probe/none|none/at/all) \(v0\)|POST / \(default decision, undefined\)",
        "body",
    ),
    _of("evaluation errors", "OPA's list of errors stays in the log; its message is quoted", r"POST .*\(conflict\)", "body"),
    _of(
        "below a scalar rule",
        "OPA refuses a path its type checker finds impossible; the engine finds nothing there. Neither is a decision",
        r"GET /v1/data/probe/allow/x",
        "status body",
        arms_differ=True,
    ),
    _of(
        "redirects",
        "OPA redirects a path with empty segments, and clients that post do not follow; here they are skipped",
        r"GET /v1/data/.*/|GET /v1/data//.*|GET /health/",
        "status body content-type",
    ),
    _of(
        "text that is not Unicode",
        "OPA replaces it; baseline refuses it, for it could not be a key in Redis",
        r"POST .*\((not UTF-8|surrogate)\)",
        "status body",
        arms_differ=True,
    ),
    _of(
        "own state",
        "it is the sidecar's own",
        r"GET /(v1/config|v1/status|metrics)",
        "status body content-type",
        arms_differ=True,
    ),
    _of("no endpoint", "an error in OPA's shape instead of text", r"GET /(v2/data|v1|favicon.ico)", "body content-type"),
    _of(
        "no such method",
        "Allow in every case, and an error in OPA's shape instead of text or nothing",
        r"(PUT|PATCH|DELETE|OPTIONS|HEAD) .*|GET /v0/.*|POST /(v1/policies/a|health|v1/config)",
        "body content-type allow",
    ),
]


def explained(case: Case) -> Difference | None:
    """Return the difference that a request may have."""
    return next((each for each in DIFFERENCES if re.fullmatch(each.pattern, case.name)), None)
