"""All thirteen sections in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sark_e2e.performance.raw import Raw

from . import appendix, cache, end_to_end, engine, findings, load, memory, method, opening, stress
from .document import Document
from .facts import Facts

SECTIONS: Final[tuple[Callable[[Document, Facts], None], ...]] = (
    opening.head,
    opening.summary,
    method.methodology,
    method.environment,
    engine.section,
    cache.section,
    end_to_end.section,
    load.section,
    stress.section,
    memory.section,
    appendix.charts,
    findings.bottlenecks,
    findings.recommendations,
    appendix.appendix,
)


def markdown(raws: Mapping[Path, Raw], *, root: Path, page: Path) -> str:
    """Return the report. Raises NoSourceError when a figure is missing, has no source, or a placeholder is left."""
    facts = Facts(raws)
    document = Document(root, page)
    for section in SECTIONS:
        section(document, facts)
    return document.text()
