"""Bundles built and signed by the real `opa`, taken apart and put together again."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sark_e2e import binaries

_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@dataclass(frozen=True)
class KeyPair:
    """Files of a key to sign with and one to verify with."""

    algorithm: str
    signing: Path
    verifying: Path


def key_pair(folder: Path, algorithm: str, name: str = "key") -> KeyPair:
    """Make a key for `algorithm`."""
    signing, verifying = folder / f"{name}.pem", folder / f"{name}.pub"
    if algorithm.startswith("HS"):
        signing.write_text("secret", encoding="utf-8")
        return KeyPair(algorithm, signing, signing)
    key = ec.generate_private_key(_CURVES[algorithm]) if algorithm in _CURVES else rsa.generate_private_key(65_537, 2048)
    signing.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    verifying.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return KeyPair(algorithm, signing, verifying)


def opa(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `opa` in `folder`."""
    command = [binaries.program("opa"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def build(sources: Path, *, revision: str = "1", keys: KeyPair | None = None, options: tuple[str, ...] = ()) -> bytes:
    """Return the bundle `opa build` makes of what lies in `sources`."""
    target = sources.parent / f"{sources.name}-{revision}.tar.gz"
    signing = () if keys is None else ("--signing-key", str(keys.signing), "--signing-alg", keys.algorithm)
    done = opa("build", "--bundle", ".", "--revision", revision, *signing, *options, "--output", target, folder=sources)
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


def members(raw: bytes) -> dict[str, bytes]:
    """Return the files of a bundle by name."""
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isreg()}  # type: ignore[union-attr]


def pack(files: dict[str, bytes]) -> bytes:
    """Return a bundle of these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(stream.getvalue())
