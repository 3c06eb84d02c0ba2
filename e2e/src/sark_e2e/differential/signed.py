"""Keys in every form a policy may hold them, and tokens that they sign. All of it is made anew in each process."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SECRET: Final = "a secret that two sides share"  # noqa: S105 - of tests only
_HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES: Final = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Sign = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Pair:
    """One private key, and what verifies its signatures."""

    private: PrivateKey

    @functools.cached_property
    def public_pem(self) -> str:
        """The public key alone."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    @functools.cached_property
    def certificate_pem(self) -> str:
        """A certificate that the key made for itself."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
        start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        builder = x509.CertificateBuilder(name, name, self.private.public_key(), x509.random_serial_number(), start, start)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("signer.example")]), critical=False)
        hashed = None if isinstance(self.private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return builder.sign(self.private, hashed).public_bytes(serialization.Encoding.PEM).decode()

    def jwk(self, *, with_private: bool = False, **members: Any) -> dict[str, Any]:
        """The key as a JSON Web Key with further `members`."""
        return {**_public_members(self.private), **(_private_members(self.private) if with_private else {}), **members}

    def sign(self, alg: str, *, salt: int | None = None) -> Sign:
        """Return what signs by `alg`; `salt` is the length of an RSA-PSS salt other than the usual."""
        private = self.private
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return private.sign
        hashed = _HASHES[alg[2:]]
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return lambda message: _halves(private, message, hashed)
        if alg.startswith("PS"):
            scheme: padding.AsymmetricPadding = padding.PSS(padding.MGF1(hashed), hashed.digest_size if salt is None else salt)
        else:
            scheme = padding.PKCS1v15()
        return lambda message: private.sign(message, scheme, hashed)


@functools.cache
def pairs() -> Mapping[str, Pair]:
    """Pairs by kind: RSA of two sizes, the three curves, Ed25519."""
    made: dict[str, PrivateKey] = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "rsa1024": rsa.generate_private_key(65537, 1024),  # noqa: S505 - the shortest that OPA takes
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    made.update((name, ec.generate_private_key(curve)) for name, curve in _CURVES.items())
    return {name: Pair(private) for name, private in made.items()}


def pair_for(alg: str) -> Pair:
    """Return the pair that usually signs by `alg`."""
    kinds = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "ed25519"}
    return pairs()[kinds.get(alg, "rsa")]


def code(alg: str, secret: str = SECRET) -> Sign:
    """Return what makes the message authentication code `alg` with `secret`."""
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return lambda message: hmac.new(secret.encode(), message, digest).digest()


def signer(alg: str) -> Sign:
    """Return what signs by `alg` with the usual key."""
    return code(alg) if alg.startswith("HS") else pair_for(alg).sign(alg)


def token(header: Any, payload: Any, sign: Sign) -> str:
    """Return the signed token of a header and payload, which are JSON values, texts or bytes."""
    signed = f"{part(header)}.{part(payload)}"
    return f"{signed}.{part(sign(signed.encode()))}"


def part(content: Any) -> str:
    """Return one encoded part of a token."""
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _halves(private: ec.EllipticCurvePrivateKey, message: bytes, hashed: hashes.HashAlgorithm) -> bytes:
    size = (private.key_size + 7) // 8
    numbers = decode_dss_signature(private.sign(message, ec.ECDSA(hashed)))
    return b"".join(number.to_bytes(size, "big") for number in numbers)


def _number(value: int, size: int | None = None) -> str:
    return part(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _public_members(private: PrivateKey) -> dict[str, str]:
    match private:
        case rsa.RSAPrivateKey():
            numbers = private.public_key().public_numbers()
            return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        case ec.EllipticCurvePrivateKey():
            size = (private.key_size + 7) // 8
            point = private.public_key().public_numbers()
            return {"kty": "EC", "crv": f"P-{private.key_size}", "x": _number(point.x, size), "y": _number(point.y, size)}
    return {"kty": "OKP", "crv": "Ed25519", "x": part(private.public_key().public_bytes_raw())}


def _private_members(private: PrivateKey) -> dict[str, str]:
    match private:
        case rsa.RSAPrivateKey():
            numbers = private.private_numbers()
            return {"d": _number(numbers.d), "p": _number(numbers.p), "q": _number(numbers.q)}
        case ec.EllipticCurvePrivateKey():
            return {"d": _number(private.private_numbers().private_value, (private.key_size + 7) // 8)}
    return {"d": part(private.private_bytes_raw())}
