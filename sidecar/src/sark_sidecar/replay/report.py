"""A replay's report for people: what was read, a line for each path, and the first differences in full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_COLUMNS = ("equal", "mismatch", "unknown", "skipped")


def as_text(report: dict[str, Any]) -> str:
    """Return the report of `Tally.shown` as text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: dict[str, Any]) -> Iterator[str]:
    total = report["total"]
    yield f"{report['read']} records read, {total['unusable']} of them not usable{_reasons(report['unusable_reasons'])}"
    yield ""
    width = max([len("path"), *map(len, report["paths"])])
    yield f"{'path':<{width}}  " + "".join(f"{name:>10}" for name in _COLUMNS)
    for path, counts in report["paths"].items():
        why = _reasons({**counts["mismatches"], **counts["unknown_sides"], **counts["skipped_reasons"]})
        yield f"{path:<{width}}  " + "".join(f"{counts[name]:>10}" for name in _COLUMNS) + why
    yield f"{'total':<{width}}  " + "".join(f"{total[name]:>10}" for name in _COLUMNS)
    if "recorded" in report:
        yield ""
        recorded = report["recorded"]
        yield f"beside what was recorded: {recorded['equal']} equal, {recorded['mismatch']} decided otherwise by the engine now"
    yield from _differences("mismatch", report["first_mismatches"], ("engine", "opa"))
    yield from _differences("otherwise than recorded", report.get("first_recorded_mismatches", []), ("engine", "recorded"))
    for unknown in report["first_unknown"]:
        yield ""
        yield f"unknown: {unknown['path']} ({unknown['at']}): {unknown['side']}: {unknown['reason'] or unknown['kind']}"
    for line in report["first_unusable"]:
        yield f"not usable: {line}"


def _differences(title: str, found: list[dict[str, Any]], sides: tuple[str, str]) -> Iterator[str]:
    for difference in found:
        places = ", ".join(pointer or "the whole decision" for pointer in difference["differs_at"])
        yield ""
        yield f"{title}: {difference['path']} ({difference['at']}): {difference['kind']}, at {places}"
        for side in sides:
            yield f"  {side:<9}{difference[side]['means']:<10} {_compact(difference[side]['decision'])}"
        yield f"  {'input':<9}{'':<10} {_compact(difference['input'])}"


def _reasons(counts: dict[str, int]) -> str:
    return f"  ({', '.join(f'{name} {count}' for name, count in counts.items())})" if counts else ""


def _compact(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(", ", ": "))
