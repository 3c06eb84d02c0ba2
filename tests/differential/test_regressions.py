"""What once was answered differently, each as the file the run wrote, with OPA's answer written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e.differential.comparison import Comparison
from sark_e2e.differential.finding import read_case, words

KNOWN = sorted((Path(__file__).parent / "known").glob("*.yaml"))
FILES = sorted((Path(__file__).parent / "regressions").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_answered_as_opa_does(path: Path, comparison: Comparison):
    case, expected = read_case(path)

    opa, engine = comparison.outcomes(case)

    # Of an error the class counts, not the place in the file.
    assert words(opa) == expected or words(opa).partition(":")[0] == expected.partition(":")[0] == "error"
    assert comparison.disagreement(case) is None, f"OPA: {words(opa)}; the engine: {words(engine)}"


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.stem)
def test_what_is_known_to_differ_still_does(path: Path, comparison: Comparison):
    case, expected = read_case(path)

    found = comparison.disagreement(case)

    assert found is not None, "mended: move the file to regressions, without its `words`"
    assert words(found.opa) == expected
