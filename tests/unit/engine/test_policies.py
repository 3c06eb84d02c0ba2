from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import sark_engine
from sark_engine import Engine, EngineError, Policies, PolicyError, policy_revision

from sark_api import assignment

A = "package a\nallow := true"
B = "package b.c\nallow := data.a.allow"


def test_revision_is_the_same_in_any_order_and_under_any_name():
    revisions = {
        Policies([(f"{number}-{name}", source) for number, (name, source) in enumerate(order)], data).revision
        for order in itertools.permutations([("a.rego", A), ("b.rego", B)])
        for data in (b'{"x": 1, "y": [1.0, "\xc3\xa9"]}', rb'{ "y": [1, "\u00e9"], "x": 1.0 }')
    }
    assert len(revisions) == 1
    assert re.fullmatch("[0-9a-f]{64}", revisions.pop())


@pytest.mark.parametrize(("sources", "data"), [([A], b"{}"), ([A, B + " "], b"{}"), ([A, B], b'{"x":1}'), ([A, B, B], b"{}")])
def test_revision_changes_with_the_content(sources: list[str], data: bytes):
    assert policy_revision(sources, data) != policy_revision([A, B], b"{}")


def test_revision_of_sources_is_that_of_the_compiled_policies():
    policies = Policies([("a.rego", A), ("b.rego", B)], b'{"x": [1]}')
    assert policy_revision([B, A], b'{"x":[1]}') == policies.revision
    assert policies.packages == ["a", "b.c"]
    assert Engine(policies).policies.revision == policies.revision


def test_policies_say_how_much_memory_they_take_and_are_refused_above_a_limit(tmp_path: Path):
    small = Policies([("a.rego", A)])
    large = Policies([("a.rego", A)], b'{"names": [%s]}' % b",".join([b'"abcdefghij"'] * 1000))
    assert 0 < small.memory_bytes < 20_000
    assert 20_000 < large.memory_bytes - small.memory_bytes < 200_000

    assert Policies([("a.rego", A)], max_memory_bytes=small.memory_bytes).memory_bytes == small.memory_bytes
    with pytest.raises(
        PolicyError, match=r"^the policies and their data take more than 100 bytes of memory .*max_memory_bytes"
    ):
        Policies([("a.rego", A)], max_memory_bytes=100)
    (tmp_path / "a.rego").write_text(A, encoding="utf-8")
    with pytest.raises(PolicyError, match="more than 100 bytes of memory"):
        Policies.from_paths([tmp_path], max_memory_bytes=100)


def test_builtins_the_engine_lacks_are_listed_by_the_rules_that_reach_them():
    source = 'package p\na if rego.parse_module("x", "y")\nb if not a\nc := 1\n'
    assert Policies([("p.rego", source)]).unsupported == {"p/a": ["rego.parse_module"], "p/b": ["rego.parse_module"]}


@pytest.mark.parametrize(
    ("source", "data", "message"),
    [
        ("package p\nallow if {", b"{}", r"^p\.rego:2:11: "),
        ("package p\nallow if nobody.knows(1)", b"{}", r"^p\.rego:2:10: undefined function nobody\.knows$"),
        ("allow := true", b"{}", r"^p\.rego:1:1: "),
        ("package p", b"[]", "data must be a JSON object"),
        ("package p", b"{", "data is not valid JSON"),
        ("package p\nallow := true", b'{"p": {"allow": false}}', "data has a value at p/allow"),
    ],
)
def test_a_refused_policy_says_where_and_why_in_one_line(source: str, data: bytes, message: str):
    with pytest.raises(PolicyError, match=message) as refused:
        Policies([("p.rego", source)], data)
    assert isinstance(refused.value, EngineError)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("salt", ["", "6e1f9d0c-8a53-4c8e-9d3e-0f6f8a4c2b11", "a:b", "sälz"])
def test_bucket_is_that_of_the_shared_rule(salt: str):
    subjects = [f"user-{number}" for number in range(2_000)] + ["", "a", "ab", "abc", "abcd", "日本語", "x" * 1_000, "\0"]
    assert [sark_engine.bucket(salt, subject) for subject in subjects] == [
        assignment.bucket(salt, subject) for subject in subjects
    ]


def test_the_build_says_what_it_is():
    # Nobody may measure a debug build without noticing.
    assert sark_engine.build_profile in {"release", "pgo", "thin", "debug"}
    manifest = (Path(__file__).parents[3] / "engine-rs" / "Cargo.toml").read_text()
    assert f'regorus = {{ version = "={sark_engine.regorus_version}"' in manifest
    assert f'version = "{sark_engine.__version__}"' in manifest
