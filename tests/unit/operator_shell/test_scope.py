"""What stands on a Lease of whom its holder serves."""

from __future__ import annotations

import pytest

from sark_operator.shell.scope import ANNOTATION, Scope


@pytest.mark.parametrize("namespaces", [(), ("shop",), ("shop", "billing"), tuple(f"team-{n}" for n in range(200))])
def test_what_is_written_is_read(namespaces: tuple[str, ...]):
    scope = Scope.of(namespaces)
    assert Scope.told(scope.annotations("pod-1"), "pod-1") == scope
    assert scope == Scope.of(reversed(namespaces))


def test_what_another_holder_wrote_is_not_believed():
    # Given an operator of an older version that holds the Lease and has left the annotation as it found it
    assert Scope.told(Scope.of(["shop"]).annotations("pod-1"), "pod-2") is None


@pytest.mark.parametrize(
    "text", ["", "shop", "[]", "null", "{}", '{"holder": "pod-1"}', '{"holder": "pod-1", "namespaces": "shop"}', "[" * 100_000]
)
def test_what_cannot_be_understood_is_nothing(text: str):
    assert Scope.told({ANNOTATION: text}, "pod-1") is None
    assert Scope.told(None, "pod-1") is None


def test_more_than_a_lease_can_carry_is_left_out():
    assert Scope.of(f"a-namespace-of-team-{n}" for n in range(10_000)).annotations("pod-1") == {}


@pytest.mark.parametrize(
    ("namespaces", "words"),
    [
        ((), "every namespace"),
        (("shop", "billing"), "billing, shop"),
        (("g", "f", "e", "d", "c", "b", "a"), "a, b, c, d, e and 2 more"),
    ],
)
def test_it_is_told_in_words(namespaces: tuple[str, ...], words: str):
    assert str(Scope.of(namespaces)) == words
