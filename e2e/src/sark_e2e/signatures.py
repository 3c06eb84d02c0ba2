"""What OPA's builtins take and give, for the engine: `make signatures` writes builtins/signatures.txt from the pinned OPA.

A line is `name: KINDS KINDS ... -> KINDS`. KINDS are joined by `|`; those of the elements of arrays and sets stand in angle
brackets, where OPA tells them. An operand that may be anything is `any`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sark_e2e import binaries

FILE: Final = Path("engine-rs/crates/sark-engine/src/builtins/signatures.txt")
_ANY: Final = "any"


def capabilities() -> list[dict[str, Any]]:
    """Return OPA's own list of its builtins."""
    command = [str(binaries.program("opa")), "capabilities", "--current"]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["builtins"]
    return found


def text(builtins: Iterable[dict[str, Any]]) -> str:
    """Return the file's text, a line for each of `builtins` that gives a value."""
    lines = (line for builtin in builtins for line in _line(builtin))
    return "".join(sorted(lines))


def _line(builtin: dict[str, Any]) -> Iterator[str]:
    declared = builtin["decl"]
    if "result" in declared:
        operands = [_kinds(operand) for operand in declared.get("args") or []]
        yield " ".join([f"{builtin['name']}:", *operands, "->", _kinds(declared["result"])]) + "\n"


def _kinds(declared: dict[str, Any]) -> str:
    alternatives = declared.get("of") if declared["type"] == _ANY else None
    if alternatives:
        return "|".join(sorted({_kinds(alternative) for alternative in alternatives}))
    kind: str = declared["type"]
    elements = _elements(declared)
    return f"{kind}<{','.join(elements)}>" if elements else kind


def _elements(declared: dict[str, Any]) -> list[str]:
    """Return the kinds of an array's or set's elements, sorted; empty when they may be anything."""
    match declared["type"]:
        case "array":
            parts = [*(declared.get("static") or []), *([declared["dynamic"]] if "dynamic" in declared else [])]
        case "set":
            parts = [declared["of"]] if "of" in declared else []
        case _:
            parts = []
    kinds = {kind.partition("<")[0] for part in parts for kind in _kinds(part).split("|")}
    return [] if _ANY in kinds else sorted(kinds)


def main() -> None:
    """Write the file anew, from the project's root."""
    FILE.write_text(text(capabilities()), encoding="utf-8")


if __name__ == "__main__":
    main()
