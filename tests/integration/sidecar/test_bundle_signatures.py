"""Signatures made by the real `opa build` and `opa sign`; tampered bundles are refused whenever OPA refuses them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sark_sidecar.policies.bundle.archive import ArchiveLimits, unpack
from sark_sidecar.policies.bundle.content import compile_bundle
from sark_sidecar.policies.bundle.signature import verify
from sark_sidecar.policies.compilation import CompiledPolicies
from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.settings import BundleSettings, PolicySettings, SigningKey, SigningSettings

from .signed_bundle import KeyPair, build, key_pair, members, opa, pack

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"]
POLICY = "package authz\n\nallow if input.user == data.owners[_]\n"
DATA = '{"owners": ["ann"], "é\\u2028<&>": [1.50, 12345678901234567890123, {"b": [[], {"c": false}]}], "": null}'
# Everything whose spelling could change on the way: numbers, escapes, order, half a surrogate pair's neighbour.
TRICKY = (
    '{"z": [1.50, -0.0, 1e2, 1E-7, 12345678901234567890123, 0.1], "é\\u2028<&>\\u0001\\b\\f\\u007f": "\\"\\\\\\/\\t",'
    '"": {}, "\\ud83d\\ude00": null, "\\uffff": true, "a": {"b": [[], {"c": false}]}, "owners": ["ann"]}'
)
YAML = """
k:
  f: 1.50
  e: 1.0e+21
  s: 1e-7
  big: 18446744073709551615
  bigger: 123456789012345678901234
  t: "yes"
  nil: ~
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    (folder / "below").mkdir(parents=True)
    (folder / "authz.rego").write_text(POLICY, encoding="utf-8")
    (folder / "data.json").write_text(DATA, encoding="utf-8")
    (folder / "below" / "data.yaml").write_text("k: {f: 1.5, t: 'yes', nil: ~}\n", encoding="utf-8")
    return folder


def compiled(raw: bytes, keys: KeyPair | None, **signing: Any) -> CompiledPolicies:
    trusted = {} if keys is None else {"default": SigningKey(key_file=keys.verifying, algorithm=keys.algorithm)}  # type: ignore[arg-type]
    bundle = BundleSettings(file=Path("bundle.tar.gz"), signing=SigningSettings(keys=trusted, **signing))
    return compile_bundle(raw, PolicySettings(bundle=bundle))


def signed_in_place(sources: Path, keys: KeyPair, *options: str) -> bytes:
    """Return the sources as they are, with the signature `opa sign` makes for them."""
    arguments = ("sign", "--bundle", ".", "--signing-key", str(keys.signing), "--signing-alg", keys.algorithm)
    done = opa(*arguments, "--output-file-path", sources.parent, *options, folder=sources)
    assert done.returncode == 0, done.stderr
    files = {path.relative_to(sources).as_posix(): path.read_bytes() for path in sources.rglob("*") if path.is_file()}
    return pack({**files, ".signatures.json": (sources.parent / ".signatures.json").read_bytes()})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_opa_build_signed_serves(sources: Path, tmp_path: Path, algorithm: str):
    keys = key_pair(tmp_path, algorithm)
    found = compiled(build(sources, revision="rev-7", keys=keys), keys)
    assert found.label == "rev-7"
    assert found.policies.packages == ["authz"]
    # And not with somebody else's key
    other = key_pair(tmp_path, algorithm, "other")
    if algorithm.startswith("HS"):
        other.verifying.write_text("another secret", encoding="utf-8")
    with pytest.raises(PolicySourceError, match="is not by the key 'default'"):
        compiled(build(sources, keys=keys), other)


def test_what_opa_sign_signed_serves_however_it_is_spelled(sources: Path, tmp_path: Path):
    keys = key_pair(tmp_path, "ES256")
    raw = signed_in_place(sources, keys)
    trusted = compiled(raw, keys, key_id="default")
    # White space and the order of keys are no content
    files = members(raw)
    files["data.json"] = b"\n" + json.dumps(dict(reversed(json.loads(DATA).items())), indent=3).encode().replace(
        b"1.5,", b"1.50,"
    )
    assert files["data.json"] != DATA.encode()
    assert compiled(pack(files), keys, key_id="default").policies.revision == trusted.policies.revision
    # But a number's spelling is
    files["data.json"] = files["data.json"].replace(b"1.50,", b"1.5,")
    with pytest.raises(PolicySourceError, match=r"data\.json is not the file that was signed"):
        compiled(pack(files), keys, key_id="default")


def test_digests_are_opas_for_every_number_and_character(sources: Path, tmp_path: Path):
    # Given data some of which the engine would refuse, which is another question
    (sources / "data.json").write_text(TRICKY, encoding="utf-8")
    (sources / "below" / "data.yaml").write_text(YAML, encoding="utf-8")
    keys = key_pair(tmp_path, "ES256")
    files = unpack(signed_in_place(sources, keys), ArchiveLimits(files=10, total_bytes=100_000))
    # Then the signature holds
    key = SigningKey(key_file=keys.verifying, algorithm="ES256")
    verify(files, SigningSettings(keys={"default": key}, key_id="default"))


def test_scope_and_excluded_files(sources: Path, tmp_path: Path):
    keys = key_pair(tmp_path, "RS256")
    claims = tmp_path / "claims.json"
    claims.write_text('{"scope": "write", "keyid": "default"}', encoding="utf-8")
    raw = signed_in_place(sources, keys, "--claims-file", str(claims))
    assert compiled(raw, keys, scope="write").policies.packages == ["authz"]
    for scope in ("", "read"):
        with pytest.raises(PolicySourceError, match="is signed for the scope 'write'"):
            compiled(raw, keys, scope=scope)
    # A file that is excluded may be anything, signed or not
    files = {**members(raw), "below/data.yaml": b"k: 2\n", "below/more/data.json": b'{"x": 1}'}
    compiled(pack(files), keys, scope="write", exclude_files=("below/*", "below/*/*"))
    with pytest.raises(PolicySourceError, match=r"below/more/data\.json is not part of the bundle's signature"):
        compiled(pack(files), keys, scope="write", exclude_files=("below/*",))


def test_a_certificate_verifies_and_a_private_key_does_not(sources: Path, tmp_path: Path):
    keys = key_pair(tmp_path, "ES256")
    raw = build(sources, keys=keys)
    with pytest.raises(PolicySourceError, match="is no public key for ES256"):
        compiled(raw, KeyPair("ES256", keys.signing, keys.signing))
    with pytest.raises(PolicySourceError, match="is signed with 'ES256'; the key 'default' is for RS256"):
        compiled(raw, KeyPair("RS256", keys.signing, keys.verifying))
    with pytest.raises(PolicySourceError, match=r"key file .*absent must be there"):
        compiled(raw, KeyPair("ES256", keys.signing, tmp_path / "absent"))


def test_signed_and_unsigned_must_be_what_is_expected(sources: Path, tmp_path: Path):
    keys = key_pair(tmp_path, "ES256")
    with pytest.raises(PolicySourceError, match="names no key to verify it with"):
        compiled(build(sources, keys=keys), None)
    with pytest.raises(PolicySourceError, match=r"must hold one \.signatures\.json; it holds 0"):
        compiled(build(sources), keys)


def _edit_policy(files: dict[str, bytes]) -> None:
    files["/authz.rego"] += b"\nallow := true\n"


def _edit_data(files: dict[str, bytes]) -> None:
    files["/data.json"] = files["/data.json"].replace(b"ann", b"eve")


def _edit_manifest(files: dict[str, bytes]) -> None:
    files["/.manifest"] = files["/.manifest"].replace(b'"1"', b'"2"')


def _add_policy(files: dict[str, bytes]) -> None:
    files["/more.rego"] = b"package more\n"


def _drop_policy(files: dict[str, bytes]) -> None:
    del files["/authz.rego"]


def _drop_data(files: dict[str, bytes]) -> None:
    del files["/data.json"]


def _drop_signature(files: dict[str, bytes]) -> None:
    del files["/.signatures.json"]


def _second_signature(files: dict[str, bytes]) -> None:
    files["/a/.signatures.json"] = files["/.signatures.json"]


def _no_token(files: dict[str, bytes]) -> None:
    files["/.signatures.json"] = b'{"signatures": []}'


def _two_tokens(files: dict[str, bytes]) -> None:
    token = json.loads(files["/.signatures.json"])["signatures"][0]
    files["/.signatures.json"] = json.dumps({"signatures": [token, token]}).encode()


def _edit_token(edit: Callable[[list[str]], list[str]]) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        token = json.loads(files["/.signatures.json"])["signatures"][0]
        files["/.signatures.json"] = json.dumps({"signatures": [".".join(edit(token.split(".")))]}).encode()

    return apply


def _b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TAMPERING: dict[str, Callable[[dict[str, bytes]], None]] = {
    "policy edited": _edit_policy,
    "data edited": _edit_data,
    "manifest edited": _edit_manifest,
    "policy added": _add_policy,
    "policy dropped": _drop_policy,
    "data dropped": _drop_data,
    "signature dropped": _drop_signature,
    "signature twice": _second_signature,
    "no token": _no_token,
    "two tokens": _two_tokens,
    "payload replaced": _edit_token(lambda parts: [parts[0], _b64({"files": [], "keyid": "default"}), parts[2]]),
    "signature cut off": _edit_token(lambda parts: [parts[0], parts[1], ""]),
    "algorithm none": _edit_token(lambda parts: [_b64({"alg": "none", "kid": "default"}), parts[1], ""]),
    "unknown key": _edit_token(lambda parts: [_b64({"alg": "ES256", "kid": "other"}), parts[1], parts[2]]),
    "two parts": _edit_token(lambda parts: parts[:2]),
}


@pytest.mark.parametrize("tampering", TAMPERING)
def test_what_opa_refuses_is_refused(sources: Path, tmp_path: Path, tampering: str):
    # Given a bundle that both accept
    keys = key_pair(tmp_path, "ES256")
    raw = build(sources, keys=keys)
    assert accepted_by_opa(raw, keys, tmp_path)
    compiled(raw, keys)
    # When it is tampered with
    files = members(raw)
    TAMPERING[tampering](files)
    # Then neither does
    assert not accepted_by_opa(pack(files), keys, tmp_path)
    with pytest.raises(PolicySourceError):
        compiled(pack(files), keys)


def accepted_by_opa(raw: bytes, keys: KeyPair, folder: Path) -> bool:
    path = folder / "asked.tar.gz"
    path.write_bytes(raw)
    # Built anew from the bundle: `opa build` verifies what it reads, and needs no server.
    verification = ("--verification-key", str(keys.verifying), "--signing-alg", keys.algorithm)
    done = opa("build", "--bundle", path, *verification, "--output", folder / "verified.tar.gz", folder=folder)
    return done.returncode == 0
