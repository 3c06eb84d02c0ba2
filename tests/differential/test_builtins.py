"""Builtins of the engine's own against OPA's, also with operands of every wrong type."""

from __future__ import annotations

import itertools
from typing import Any, Final

import pytest

from sark_e2e.differential.calls import calls, told
from sark_e2e.differential.comparison import Comparison

STRANGERS: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1.5, 1e300, 2**70, "", "text", [], [1, "a"], [True, True], {}, {"a": 1}, {True}, {1, 2}, frozenset()
)  # fmt: skip
TEXTS: Final = ("", "a", "message digest", "é€😀", "x" * 200, "line\nbreak\u0000", "AbC=")
NETWORKS: Final = (
    "10.0.0.0/8", "10.1.2.3/16", "192.168.1.0/25", "192.168.1.128/25", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.1",
    "255.255.255.255/32", "::/0", "::/80", "::1", "::1/128", "2001:db8::/32", "2001:db8:1::/48", "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.1", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8/64", "::1.2.3.4", "fe80::1%eth0", "fe80::1%eth0/64", "010.0.0.0/8",
    "10.0.0.0/08", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "10.0.0.0/+8", "::/129", "", "host", "10.0.0.0/8/8", " 10.0.0.0/8",
)  # fmt: skip
# OPA's merging panics on mapped addresses, and on IPv6 addresses that begin with a zero byte.
MERGEABLE: Final = tuple(text for text in NETWORKS if not text.startswith(("::ffff:", "::1", "1:2:", "::/8")))
GLOBS: Final = (
    "", "a", "abcd", ".*", "a.a.[0-9]+z", ".b.b2359825792*594823z", "[a-z]+", "[0-9]*.", "ab+", "[d]*", "foo.*bar", "foobar",
    "[ab]+c", "[bc]*", ".*mamama", ".*dadada", "a**", "*a", "]", "[", "[]", "[]a", "[a-]", "[-a]", "[c-a]", "[a-c-e]", "[^a]",
    "[\\]]", "a\\", "\\*", "a\\*", "\\.", "é+", "[à-ü]*", "a*a*a*b", "a+a*", ".+.*", "[.]+", "[a-c]*[b-d]+e", "aaab",
)  # fmt: skip
URIS: Final = (
    "", "*", "?", "#", "#f%20r", "a", "/a%20b/c%2Fd?x=1&y=%zz#top", "HTTPS://me:secret@example.com:8080/a/../b?q",
    "mailto:me@x.y",
    "//host/path", "///path", "////x", "http:///x", "http://", "http:", ":x", "1:2/x", "a:b", "a/b:c", "http://a b/",
    "http://a/b c",
    "http://host:port/", "http://host:/", "http://a:1:2/", "pg://a:1,b:2/x", "http://[::1]:80/", "http://[::1",
    "http://[::1]x",
    "http://[fe80::1%25en0]/", "http://[fe80::1%25]/", "http://[1.2.3.4]/", "http://[::ffff:1.2.3.4]/", "http://a[b]/",
    "http://us er@h/",
    "http://u@p@h/", "http://u%zz@h/", "%zz", "a%", "a\tb", "a\u007f", "http://%41/", "http://%e9/", "http://h%25/",
    "http://é/", "/é",
    "/%ff", "/a;b,c", "/[x]", "/a!b'(c)*", "/a?b?c", "x?", "http://h?q=1", "http://h#f", "\u00a0", "HTTP://H",
    "a+b-c.d://h/", "/%2f", "/\\",
    "http://<h>/", 'http://"/', "http://h\\x/", "file:///etc/passwd", "urn:a:b", "http://[::1]:/", "http://u:p%40@h/",
    "http://a]b/", "http://h:٣٤/", "http://exa%6dple.com/", "/a%21b", "/a%27b", "/a%2Ab", "/a%28b%29",
)  # fmt: skip

UNARY: Final = (
    "crypto.md5", "crypto.sha1", "crypto.sha256", "array.flatten", "any", "all", "cast_array", "cast_boolean", "cast_null",
    "cast_object", "cast_set", "cast_string", "net.cidr_merge", "uri.is_valid", "uri.parse", "io.jwt.decode",
)  # fmt: skip
# OPA 1 no longer parses calls of these.
DEPRECATED: Final = frozenset(
    {"any", "all", "cast_array", "cast_boolean", "cast_null", "cast_object", "cast_set", "cast_string"}
)
BINARY: Final = (
    "crypto.hmac.equal", "crypto.hmac.md5", "crypto.hmac.sha1", "crypto.hmac.sha256", "crypto.hmac.sha512",
    "net.cidr_intersects",
    "net.cidr_contains_matches", "regex.globs_match", "io.jwt.verify_hs256", "io.jwt.verify_rs256", "io.jwt.decode_verify",
)  # fmt: skip
INFIX: Final = ("and", "equal", "minus", "mul", "neq", "or", "plus", "rem")
# Reckoning with them is exact. How far operators go with others is a question of operators, not of their names.
NUMBERS: Final = (0, 1, -1, 7, -7, 3, 0.5, -2.25, 2**31)
OTHERS: Final = tuple(value for value in STRANGERS if isinstance(value, bool) or not isinstance(value, int | float))


def pairs_of(values: Any) -> list[tuple[Any, ...]]:
    """Return every ordered pair."""
    return list(itertools.product(values, repeat=2))


FAMILIES: Final = {
    "one stranger": (tuple(name for name in UNARY if name not in DEPRECATED), [(value,) for value in STRANGERS]),
    "two strangers": (BINARY, pairs_of(STRANGERS)),
    "digests": (UNARY[:3], [(text,) for text in TEXTS]),
    "codes": (BINARY[:5], pairs_of(TEXTS)),
    "flat arrays": (("array.flatten",), [([1, [2, [3]], [], {}],), ([[]],), ([[1], [2]],)]),
    "intersections": (("net.cidr_intersects", "net.cidr_contains_matches"), pairs_of(NETWORKS)),
    "matches": (
        ("net.cidr_contains_matches",),
        pairs_of(
            (
                "10.0.0.0/8",
                ["10.0.0.0/8", "1.0.0.0/8"],
                {"10.1.0.0/16", "1.1.1.1"},
                {"x": "10.1.1.1", "y": ["1.0.0.0/8", "z"]},
                [["10.0.0.0/8", 1], ["::/0"]],
                [[]],
                [1],
                [[1]],
                {"x": None},
                ["host"],
                [],
                {1},
                1,
            )
        ),
    ),
    "merged addresses": (("net.cidr_merge",), [([one, other],) for one, other in pairs_of(MERGEABLE)]),
    "merged networks": (
        ("net.cidr_merge",),
        [
            ([f"10.{number}.0.0/16" for number in range(0, 40, step)] + extra,)
            for step in (1, 2, 3)
            for extra in ([], ["10.0.0.0/12"], ["2001:db8::/33", "2001:db8:8000::/33"], ["10.0.0.0/8", "11.0.0.0/8"])
        ],
    ),
    "globs": (("regex.globs_match",), pairs_of(GLOBS)),
    "references": (("uri.is_valid", "uri.parse"), [(text,) for text in URIS]),
    "parts": (
        ("strings.split_n",),
        list(
            itertools.product(
                ("a/b/c", "", "a", "é€😀", "//"), ("/", "", "x", "//"), (0, 1, 2, 9, -1, -2, -9, 2**63 - 1, 1.0, 1.5)
            )
        ),
    ),
    "three strangers": (("strings.split_n",), list(itertools.product(STRANGERS[:11], repeat=3))),
    "operators": (INFIX, pairs_of((*NUMBERS, *OTHERS))),
    "orders": (
        ("gt", "gte", "lt", "lte"),
        pairs_of((*NUMBERS, *(value for value in OTHERS if not isinstance(value, set | frozenset)))),
    ),
    "divisions": (("div",), [(8, 2), (1, 4), (-3, 2), (0, 5), (1, 0), (0.5, 0), (7, "7"), ("7", 7), (None, 1), ({1}, {1})]),
}
"""Builtins, and the operands each of them gets."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_has_opas_answer(family: str, comparison: Comparison):
    builtins, rows = FAMILIES[family]

    result = comparison.compare(calls(family, builtins, rows))

    assert (result.refused_by_opa, result.refused_by_engine) == (None, None)
    # A number in another spelling is nothing to put into a text: the baseline answers.
    assert [reason for reason in result.refused if "keeps its spelling" not in reason] == []
    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 0
