"""The manifest: what it may say, and that nothing lies outside its roots."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sark_sidecar.policies.bundle.manifest import Manifest, check_roots, parse_manifest
from sark_sidecar.policies.sources import PolicySourceError


def manifest(**members: Any) -> Manifest:
    return parse_manifest(json.dumps(members).encode())


def test_a_bundle_without_a_manifest_owns_all_of_data():
    check_roots(parse_manifest(None), ["a", "b.c"], {"x": 1})
    assert parse_manifest(None).revision == ""


def test_what_only_opa_needs_is_passed_over():
    found = manifest(revision="7", metadata={"team": "a"}, something_new=[1])
    assert found.revision == "7"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"{", ".manifest: Invalid JSON"),
        (b"[]", ".manifest: "),
        (b'{"revision": 7}', ".manifest: revision: "),
        (b'{"roots": "a"}', ".manifest: roots: "),
        (b'{"rego_version": 0}', ".manifest is Rego v0; the embedded engine reads Rego v1"),
        (b'{"rego_version": 1, "file_rego_versions": {"/a/*.rego": 0}}', "/a/*.rego is Rego v0"),
        (b'{"roots": ["a", "a/b"]}', "the roots 'a' and 'a/b' overlap"),
        (b'{"roots": ["a", "/a/"]}', "the roots 'a' and 'a' overlap"),
        (b'{"roots": ["b", ""]}', "the roots '' and 'b' overlap"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(raw: bytes, sentence: str):
    with pytest.raises(PolicySourceError) as caught:
        parse_manifest(raw)
    assert sentence in str(caught.value)


def test_roots_that_only_begin_alike_do_not_overlap():
    assert manifest(roots=["a", "ab", "a-b"]).segments() == [["a"], ["ab"], ["a-b"]]


@pytest.mark.parametrize(
    ("roots", "packages", "data"),
    [
        (["a/b"], ["a.b", "a.b.c"], {"a": {"b": 1}}),
        (["a/b", "c"], ["c.d"], {"a": {"b": {"x": 1}}, "c": None}),
        (["a"], ["a"], {}),
    ],
)
def test_what_lies_inside_is_permitted(roots: list[str], packages: list[str], data: dict[str, Any]):
    check_roots(manifest(roots=roots), packages, data)


@pytest.mark.parametrize(
    ("roots", "packages", "data", "sentence"),
    [
        (["a/b"], ["a.c"], {}, "do not permit package a.c"),
        (["a/b"], ["a"], {}, "do not permit package a"),
        (["a"], ["ab"], {}, "do not permit package ab"),
        ([], ["a"], {}, "do not permit package a"),
        (["a/b"], [], {"a": {"c": 1}}, "do not permit data at /a/c"),
        (["a/b"], [], {"a": 1}, "do not permit data at /a"),
        (["a"], [], {"ab": {}}, "do not permit data at /ab"),
    ],
)
def test_what_lies_outside_is_refused(roots: list[str], packages: list[str], data: dict[str, Any], sentence: str):
    with pytest.raises(PolicySourceError) as caught:
        check_roots(manifest(roots=roots), packages, data)
    assert sentence in str(caught.value)
