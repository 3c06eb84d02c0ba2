"""JSON Web Tokens: every way to verify one, with every key, against OPA."""

from __future__ import annotations

import base64
import functools
import json
import time
from typing import Any, Final

import pytest

from sark_e2e.differential.calls import calls, told
from sark_e2e.differential.comparison import Comparison
from sark_e2e.differential.signed import SECRET, Sign, code, pair_for, pairs, part, signer, token

ALGORITHMS: Final = (*tuple(f"{family}{size}" for family in ("HS", "RS", "PS", "ES") for size in (256, 384, 512)), "EdDSA")
VERIFYING: Final = tuple(f"io.jwt.verify_{alg.lower()}" for alg in ALGORITHMS)
PAYLOAD: Final = {"sub": "me", "n": 12345678901234567890, "roles": ["a"]}
HOUR_NS: Final = 3600 * 10**9
NOW: Final = 1_800_000_000


def of(alg: str, payload: Any = None, **header: Any) -> str:
    """Return a token by the usual key of `alg`."""
    return token({"alg": alg, "typ": "JWT", **header}, PAYLOAD if payload is None else payload, signer(alg))


def claims(**values: Any) -> str:
    """Return a token with these claims."""
    return of("HS256", values)


def none(_: bytes) -> bytes:
    """Sign with nothing."""
    return b""


def padded(sign: Sign) -> Sign:
    """Lengthen both numbers of an elliptic signature by zeros."""

    def padding(message: bytes) -> bytes:
        made = sign(message)
        half = len(made) // 2
        return b"\0\0" + made[:half] + b"\0\0" + made[half:]

    return padding


@functools.cache
def tokens() -> list[str]:
    """Tokens by every algorithm, tokens of others, and tokens that are damaged."""
    made = [of(alg) for alg in ALGORITHMS]
    damaged = [
        made[0][:-2],
        made[3][:-4] + "AAAA",
        made[9].replace(".", ".A", 1),
        made[9][:-6] + "AAAAAA",
        made[12][:-4] + "AAAA",
        made[0] + "=",
        made[0] + "\n",
        made[3] + "A" * 8,
        token({"alg": "ES256"}, PAYLOAD, none),
        token({"alg": "ES256"}, PAYLOAD, lambda _: b"\0" * 64),
        token({"alg": "ES256"}, PAYLOAD, lambda _: b"\xff" * 64),
    ]
    mixed = [
        token({"alg": "HS256"}, PAYLOAD, code("HS256", pairs()["rsa"].public_pem)),
        token({"alg": "none"}, PAYLOAD, none),
        token({"alg": "RS256"}, PAYLOAD, code("HS256")),
        token({"alg": "HS256"}, PAYLOAD, signer("RS256")),
        token({"alg": "ES256"}, PAYLOAD, pairs()["P-384"].sign("ES256")),
        token({"alg": "ES256"}, PAYLOAD, pairs()["P-521"].sign("ES256")),
        token({"alg": "ES512"}, PAYLOAD, pairs()["P-256"].sign("ES512")),
        token({"alg": "PS256"}, PAYLOAD, pairs()["rsa"].sign("PS256", salt=0)),
        token({"alg": "PS256"}, PAYLOAD, pairs()["rsa"].sign("PS256", salt=64)),
        token({"alg": "RS256"}, PAYLOAD, pairs()["rsa1024"].sign("RS256")),
        token({"alg": "PS512"}, PAYLOAD, pairs()["rsa1024"].sign("PS384")),
        token({"alg": "ES256"}, PAYLOAD, padded(signer("ES256"))),
        token({"alg": "Ed25519"}, PAYLOAD, signer("EdDSA")),
        token({}, PAYLOAD, signer("RS256")),
        token({"alg": "RS256", "kid": "rsa"}, PAYLOAD, signer("RS256")),
        token({"alg": "RS256", "kid": "P-256"}, PAYLOAD, signer("RS256")),
        token({"alg": "RS256", "kid": "unheard of"}, PAYLOAD, signer("RS256")),
        token({"alg": "RS256", "kid": 1}, PAYLOAD, signer("RS256")),
        token({"alg": 1}, PAYLOAD, signer("RS256")),
    ]
    return made + damaged + mixed


def jwks(*members: Any) -> str:
    """Return a set of keys."""
    return json.dumps({"keys": list(members)})


@functools.cache
def keys() -> list[str]:
    """Every key in every form, sets of keys, and what is no key."""
    good = [form for pair in pairs().values() for form in (pair.public_pem, pair.certificate_pem, json.dumps(pair.jwk()))]
    private = [json.dumps(pair.jwk(with_private=True)) for pair in pairs().values()]
    named = [pair.jwk(kid=name) for name, pair in pairs().items()]
    secret = {"kty": "oct", "k": part(SECRET)}
    rsa = pairs()["rsa"].jwk()
    sets = [
        jwks(*named),
        jwks(*(pair.jwk() for pair in pairs().values()), secret),
        jwks(*(pair_for(alg).jwk(alg=alg) for alg in ALGORITHMS if not alg.startswith("HS"))),
        jwks({**rsa, "alg": "RS512"}),
        jwks({**rsa, "alg": "RSA-OAEP"}, secret),
        jwks(),
    ]
    return [*good, *private, *sets, json.dumps(secret), SECRET, ""]


@functools.cache
def odd_keys() -> list[str]:
    """Keys with something unusual or wrong about them."""
    rsa, elliptic, octets = pairs()["rsa"].jwk(), pairs()["P-256"].jwk(), pairs()["ed25519"].jwk()
    pem, certificate = pairs()["rsa"].public_pem, pairs()["rsa"].certificate_pem
    body = pem.split("\n", 1)[1].rsplit("\n", 2)[0]
    chain = ["".join(certificate.split("\n")[1:-2])]
    return [
        pem.replace("PUBLIC", "RSA PUBLIC"), pem + pem, pem + "\n", pem.strip(), " " + pem, "# a key\n" + pem,
        pem.replace("\n", "\r\n"),
        pem.replace("-----\n", "-----\nProc-Type: none\n\n", 1),
        f"-----BEGIN PUBLIC KEY-----\n{body[:-8]}\n-----END PUBLIC KEY-----\n",
        pem.replace("PUBLIC KEY", "CERTIFICATE"), certificate.replace("CERTIFICATE", "PUBLIC KEY"), certificate + "rest",
        certificate.replace("CERTIFICATE", "X509 CERTIFICATE"), certificate.replace("\n", " \n"), pem[:100],
        *(
            json.dumps({name: value for name, value in {**rsa, **changed}.items() if value != "drop"})
            for changed in (
                {"kid": None}, {"kid": 1}, {"alg": "XX"}, {"alg": None}, {"alg": "none"}, {"alg": "ES256"}, {"use": "enc"},
                {"use": 1},
                {"key_ops": ["verify"]}, {"key_ops": ["dance"]}, {"key_ops": "verify"}, {"key_ops": None}, {"x5c": chain},
                {"x5c": ["AA"]},
                {"x5c": "AA"}, {"x5t": "x"}, {"x5t": 1}, {"other": {"a": 1}}, {"n": rsa["n"] + "=="},
                {"n": "AA" + rsa["n"]}, {"n": "drop"},
                {"n": "*"}, {"n": ""}, {"n": "AQ"}, {"e": "Aw"}, {"e": "AQ"}, {"e": "Ag"}, {"e": "AAEAAQ"}, {"e": "_____w"},
                {"e": "f____w"},
                {"e": "f_________8"}, {"e": "__________8"}, {"e": 65537}, {"e": None}, {"kty": "rsa"}, {"kty": "drop"},
                {"kty": 1},
                {"kty": "oct", "k": part(SECRET)}, {"d": "AQ"}, {"d": None}, {"d": "AQ", "p": "AQ", "q": "AQ"}, {"dp": "*"},
                {"d": "", "p": "AQ", "q": "AQ"},
            )
        ),
        *(
            json.dumps({**elliptic, **changed})
            for changed in ({"crv": "P-384"}, {"crv": "P-224"}, {"crv": "secp256k1"}, {"x": elliptic["y"]},
            {"x": "AA" + elliptic["x"]},
                {"x": "AAAA" + elliptic["x"]}, {"y": ""}, {"d": "AQ"}, {"crv": None}, {"x": part(bytes(32)),
                "y": part(bytes(32))})
        ),
        *(
            json.dumps({**octets, **changed})
            for changed in ({"crv": "X25519"}, {"crv": "Ed448"}, {"x": "AQ"}, {"d": "AQ"}, {"d": part(bytes(32))},
            {"crv": "P-256"})
        ),
        json.dumps({"kty": "oct", "k": ""}), json.dumps({"kty": "oct"}), jwks(rsa, {"kty": "other"}), jwks(1),
        '{"keys": {}}', '{"keys": null}',
        "[]", "{}", "null", "1", '"text"', json.dumps(rsa) + " ", "{", json.dumps({**rsa, "keys": [rsa]}),
    ]  # fmt: skip


@functools.cache
def headers() -> list[str]:
    """Tokens whose headers or parts are unusual or wrong."""
    sign = code("HS256")
    inner = of("HS256")
    made: list[Any] = [
        *({"alg": "HS256", **more} for more in (
            {"crit": ["exp"]}, {"crit": ["x"], "x": 1}, {"crit": ["x"]}, {"crit": []}, {"crit": "x"}, {"crit": [1, "x"],
            "x": 1},
            {"crit": ["y", 1, "x"], "x": 1}, {"crit": ["alg"]}, {"crit": ["b64"], "b64": False}, {"crit": None},
            {"enc": "A128GCM"},
            {"enc": None}, {"typ": 1}, {"cty": "text"}, {"kid": None}, {"zip": "DEF"}, {"alg": ""}, {"alg": "hs256"},
            {"alg": "HS257"}, {"alg": "HS2"}, {"alg": "XX256"}, {"alg": "HS256 "}, {"jwk": {}}, {"alg": None},
        )),
        [], 1, "null", "", "{", '{"alg":"HS256"} ', '{"alg":"HS256"}x', '{"alg":"none","alg":"HS256"}',
        '{"alg":"HS256","alg":"none"}',
        b'{"alg":"HS256","x":"\xff"}', '{"alg":"HS256","x":"\\ud800"}', '{"alg":"HS256","x":1.0}',
        "\ufeff" + '{"alg":"HS256"}', '{"alg":"HS256","a":1,}',
    ]  # fmt: skip
    nested = [
        token({"alg": "HS256", "cty": cty}, payload, sign)
        for cty in ("JWT", "jwt", "Jwt")
        for payload in (
            inner,
            f'"{inner}"',
            f"'\"{inner}\"'",
            "a.b",
            "",
            {"a": 1},
            b"\xff.\xff.\xff",
            token({"alg": "HS256", "cty": "JWT"}, inner, sign),
        )
    ]
    payloads = [
        token({"alg": "HS256"}, payload, sign) for payload in ([], "1", "{", "", b"\xff", '{"a":1}{"b":2}', '{"a":1,"a":2}')
    ]
    first, second, third = inner.split(".")
    shapes = [
        "", ".", "..", "a", "a.b", "a.b.c", "a.b.c.d", f"{first}.{second}", f"{first}.{second}.", f".{second}.{third}",
        f"{first}=.{second}.{third}",
        f"{first}.{second}==.{third}", f"{first}\n.{second}.{third}", f" {first}.{second}.{third}",
        f"{first}.{second}.{third}.",
        f"{first}.{second}.{third[:-1]}", f"{first}.{second}.*", base64.b64encode(inner.encode()).decode(), "é.é.é",
    ]  # fmt: skip
    return [token(header, PAYLOAD, sign) for header in made] + nested + payloads + shapes


@functools.cache
def demands() -> list[tuple[Any, Any]]:
    """Tokens and what `io.jwt.decode_verify` demands of them."""
    rsa, everything = (
        pairs()["rsa"],
        jwks(*(pair.jwk(kid=name) for name, pair in pairs().items()), {"kty": "oct", "k": part(SECRET)}),
    )
    soon, late = int(time.time()) + 86_400, int(time.time()) - 86_400
    by_key = [(made, {"cert": key}) for made in tokens() for key in (rsa.public_pem, rsa.certificate_pem, everything)]
    by_key += [
        (of(alg), {"cert": form})
        for alg in ALGORITHMS[3:]
        for form in (pair_for(alg).certificate_pem, json.dumps(pair_for(alg).jwk(with_private=True)))
    ]
    by_secret = [(made, {"secret": SECRET}) for made in (*tokens(), *headers())]
    constrained = [
        (of("RS256", {"iss": "a", "aud": ["x", "y"], "exp": 10}), {"cert": rsa.public_pem, **more})
        for more in (
            {"aud": "x", "time": 1}, {"aud": "z", "time": 1}, {"time": 1}, {"aud": "y", "iss": "a", "time": 1}, {"aud": "x",
            "iss": "b", "time": 1},
            {"aud": "x", "alg": "RS256", "time": 1}, {"aud": "x", "alg": "RS512", "time": 1}, {"aud": "x", "alg": "",
            "iss": "", "time": 1},
            {"aud": "x"}, {"secret": SECRET}, {"secret": ""}, {"aud": 1}, {"iss": None}, {"alg": 1}, {"cert": 1},
            {"other": 1}, {"time": "1"},
            {"time": -1}, {"time": None}, {"aud": ["x"]},
        )
    ]  # fmt: skip
    audiences: list[Any] = ["x", "", [], ["x"], [""], [1, "x"], 1, None, {"x": 1}]
    constrained += [
        (claims(aud=aud), {"secret": SECRET, **more}) for aud in audiences for more in ({}, {"aud": "x"}, {"aud": ""})
    ]
    constrained += [
        (claims(iss=iss), {"secret": SECRET, **more}) for iss in ("a", "") for more in ({}, {"iss": "a"}, {"iss": ""})
    ]
    constrained += [
        (claims(), {"secret": SECRET, "iss": "a"}),
        (claims(), {"secret": SECRET, "aud": "x"}),
        (claims(), {}),
        (claims(), []),
    ]
    times: list[Any] = [
        NOW, NOW - 1, NOW + 1, NOW + 0.5, NOW - 0.5, float(NOW), NOW + 0.25, 1.8e9, -1, 0, 2**62, "1", None, True, [NOW],
        soon, late,
    ]  # fmt: skip
    nows: list[Any] = [
        NOW * 10**9, NOW * 10**9 + 1, NOW * 10**9 - 1, NOW * 10**9 + 500_000_000, NOW * 10**9 - 500_000_000, 0, 1,
        0.5, 2**70, HOUR_NS,
    ]  # fmt: skip
    timed = [
        (claims(**{name: at}), {"secret": SECRET, "time": now})
        for name in ("exp", "nbf", "iat")
        for at in times
        for now in nows
    ]
    timed += [(claims(**{name: at}), {"secret": SECRET}) for name in ("exp", "nbf", "iat") for at in (soon, late, soon + 0.5)]
    timed += [(claims(exp=soon, nbf=late), {"secret": SECRET}), (claims(exp=late, nbf=soon), {"secret": SECRET})]
    return by_key + by_secret + constrained + timed


QUESTIONS: Final = {
    "signatures": lambda: (VERIFYING, [(made, key) for made in tokens() for key in keys()]),
    "odd keys": lambda: (
        ("io.jwt.verify_rs256", "io.jwt.verify_es256", "io.jwt.verify_eddsa"),
        [(of(alg), key) for alg in ("RS256", "ES256", "EdDSA") for key in odd_keys()],
    ),
    "odd keys as demands": lambda: (
        ("io.jwt.decode_verify",),
        [(of(alg), {"cert": key}) for alg in ("RS256", "ES256", "EdDSA", "HS256") for key in odd_keys()],
    ),
    "decoding": lambda: (("io.jwt.decode",), [(made,) for made in (*tokens(), *headers())]),
    "odd headers": lambda: (("io.jwt.verify_hs256",), [(made, SECRET) for made in headers()]),
    "odd headers and keys": lambda: (("io.jwt.verify_rs256",), [(made, pairs()["rsa"].public_pem) for made in headers()]),
    "demands": lambda: (("io.jwt.decode_verify",), demands()),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_token_is_judged_as_opa_judges_it(question: str, comparison: Comparison):
    builtins, rows = QUESTIONS[question]()

    result = comparison.compare(calls(question, builtins, rows))

    assert (result.refused_by_opa, result.refused_by_engine, result.refused) == (None, None, [])
    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 0
