"""One document checked: form first, then the rules, then sense. What has no readable form has no rules to break."""

from __future__ import annotations

from collections.abc import Iterable

from sark_api.names import KIND
from sark_cli.printable import line_of

from .documents import Document
from .finding import Finding, Level, spelled
from .form import check_form
from .rules import check_rules
from .sense import NAMESPACE, check_sense


def is_ours(document: Document) -> bool:
    """Return whether the document claims to be a SarkRollout."""
    return isinstance(document.value, dict) and document.value.get("kind") == KIND


def check(document: Document, traffic: float | None = None) -> list[Finding]:
    """Return everything that is wrong with it, by line."""
    twice = [
        Finding(Level.ERROR, path, f"{path[-1]} stands here twice, and only the last one counts: take one away")
        for path in document.doubled
    ]
    spec, findings = check_form(document.value)
    found = [*twice, *findings]
    if spec is not None:
        broken = list(check_rules(spec))
        found += broken
        if not any(each.level is Level.ERROR for each in broken):
            found += check_sense(spec, traffic, _named(document))
    return sorted(found, key=lambda each: document.line(each.path))


def _named(document: Document) -> str:
    """Return the rollout's namespace/name; a name that is missing has been told by the form."""
    metadata = document.value.get("metadata")
    members = metadata if isinstance(metadata, dict) else {}
    return f"{members.get('namespace') or NAMESPACE}/{members.get('name') or 'NAME'}"


def told(document: Document, findings: Iterable[Finding]) -> list[str]:
    """Return the findings as compilers write them: file, line, level, place, sentence, and nothing that moves a cursor."""
    return [
        line_of(f"{document.file}:{document.line(each.path)}: {each.level}: {spelled(each.path)}: {each.message}")
        for each in findings
    ]
