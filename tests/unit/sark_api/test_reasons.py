from __future__ import annotations

import re
from string import Formatter

import pytest

from sark_api.reasons import MAX_SENTENCE, REASONS, Reason, shorten


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
def test_a_reason_can_be_shown_everywhere(reason: Reason) -> None:
    places = {name for _, name, _, _ in Formatter().parse(reason.template) if name is not None}

    assert re.fullmatch(r"[A-Z][A-Za-z]{2,60}", reason.name)
    assert all(re.fullmatch(r"[a-z_]+", place) for place in places)
    assert reason.doc.endswith(".")
    assert not reason.template.endswith(".")
    assert len(reason.sentence(**dict.fromkeys(places, "x" * 5000))) <= MAX_SENTENCE


def test_values_are_not_read_as_templates() -> None:
    sentence = REASONS["TargetTaken"].sentence(rival="{rival.__class__}")

    assert "{rival.__class__}" in sentence


def test_shortening_says_so() -> None:
    assert shorten("abcdef", 5) == "ab..."
    assert shorten("abcde", 5) == "abcde"
