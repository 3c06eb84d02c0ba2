"""The documentation page of all reasons and conditions: `python -m sark_api.reasons_page` prints docs/reasons.md."""

from __future__ import annotations

import re
import sys

from .conditions import CONDITIONS
from .reasons import REASONS

_HEAD = """\
# Reasons

Every reason the operator gives in `status.reason`, conditions, events, `status.history` and its metrics. A name is a contract
and is never changed; the sentence is for people and may be improved. Words in capitals stand for values. Below them stand
[the conditions](#conditions). [The runbook](runbook.md) says what to do.

| reason | event | sentence | meaning |
| --- | --- | --- | --- |
"""
_CONDITIONS = """
## Conditions

`status.conditions`, the contract for programs, as `--for=condition=Completed` of kubectl's wait. All are there from the first
evaluation on; `observedGeneration` says of which spec, and `lastTransitionTime` since when the state has been what it is.

| condition | True | False | Unknown |
| --- | --- | --- | --- |
"""


def render() -> str:
    """Return the page as Markdown."""
    rows = [f"| `{one.name}` | {one.event} | {_spoken(one.template)} | {one.doc} |\n" for one in REASONS.values()]
    states = [f"| `{one.name}` | {one.true} | {one.false} | {one.unknown or 'never'} |\n" for one in CONDITIONS.values()]
    return _HEAD + "".join(rows) + _CONDITIONS + "".join(states)


def _spoken(template: str) -> str:
    """Return the sentence with its places shown as capitals; a bar would end the table's cell."""
    return re.sub(r"\{(\w+)\}", lambda place: place[1].replace("_", " ").upper(), template).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
