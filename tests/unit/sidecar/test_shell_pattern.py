"""Patterns of excluded files: Go's filepath.Match, whose results were taken down here."""

from __future__ import annotations

import pytest

from sark_sidecar.shell_pattern import file_pattern


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "data.json", True),
        ("*", "a/data.json", False),
        ("*/data.json", "a/data.json", True),
        ("*/data.json", "a/b/data.json", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[b-d]e", "ace", True),
        ("a[^b-d]e", "ace", False),
        ("a[^b-d]e", "a/e", True),
        ("a[-]e", "a-e", None),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("[\\]a]", "]", True),
        ("a.b", "axb", False),
        ("data.json", "data.json\n", False),
        ("[", "a", None),
        ("[]", "a", None),
        ("[b-a]", "a", None),
        ("a\\", "a", None),
    ],
)
def test_patterns_mean_what_they_mean_to_opa(pattern: str, name: str, matches: bool | None):
    if matches is None:
        with pytest.raises(ValueError, match="is not a pattern"):
            file_pattern(pattern)
    else:
        assert (file_pattern(pattern).fullmatch(name) is not None) is matches
