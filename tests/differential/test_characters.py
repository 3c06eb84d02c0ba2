"""Characters that are no part of Rego, wherever they stand: what OPA refuses is refused here, the rest means the same."""

from __future__ import annotations

from typing import Final

from sark_e2e.differential.case import Case
from sark_e2e.differential.comparison import Comparison

# Controls, blanks that are none in Rego, marks without a width, a letter and a sign from further away.
CHARACTERS: Final = (
    *(chr(code) for code in range(0x21)),
    *"\x7f\x85\xa0\xad\u1680\u180e\u2000\u200b\u200d\u200e\u2028\u2029\u202e\u2060\u3000\ufeff\ufffd\uffff",
    *"é\u0378\U0001f600\U000e0001",
)
PLACES: Final = {
    "before-all": "{}package p\nr := 1\n",
    "before-the-name": "package {}p\nr := 1\n",
    "behind-the-name": "package p{}\nr := 1\n",
    "alone-on-a-line": "package p\n{}\nr := 1\n",
    "before-a-rule": "package p\n{}r := 1\n",
    "within-a-name": "package p\nr := 1\nr{}s := 2\n",
    "before-an-operator": "package p\nr{}:= 1\n",
    "before-a-value": "package p\nr :={}1\n",
    "behind-a-value": "package p\nr := 1{}\n",
    "within-a-number": "package p\nr := 1{}2\n",
    "in-a-comment": "package p\n# a{}b\nr := 1\n",
    "in-a-string": 'package p\nr := "a{}b"\n',
    "in-a-raw-string": "package p\nr := `a{}b`\n",
    "in-a-template": 'package p\nr := $"a{}b"\n',
    "at-the-end": "package p\nr := 1\n{}",
}
LONE_RETURNS: Final = {f"{place}-000d.rego" for place in PLACES}


def sources() -> dict[str, str]:
    """Return modules by file name, each with one of the characters in one of the places."""
    return {
        f"{place}-{ord(character):04x}.rego": text.replace("{}", character)
        for place, text in PLACES.items()
        for character in CHARACTERS
    }


def test_no_character_is_read_that_opa_refuses_or_reads_otherwise(comparison: Comparison):
    read_here_only, refused_here_only, differing = set(), set(), {}
    alike = 0
    for name, source in sources().items():
        result = comparison.compare(Case("characters", ((name, source),), "{}", (None,), ("p",)))
        alike += result.equal
        if result.disagreements:
            differing[name] = result.disagreements
        elif result.refused_by_engine is None and result.refused_by_opa is not None:
            read_here_only.add(name)
        elif result.refused_by_engine is not None and result.refused_by_opa is None:
            refused_here_only.add(name)

    assert differing == {}
    assert read_here_only == set()
    # Controls within a string or a template, other signs in a template, and a carriage return alone: to no harm.
    assert {name for name in refused_here_only if not name.startswith(("in-a-string", "in-a-template"))} <= LONE_RETURNS
    assert alike > 100
