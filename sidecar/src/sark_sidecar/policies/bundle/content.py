"""From the bytes of a bundle to policies that serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sark_sidecar.policies.compilation import CompiledPolicies, compile_sources
from sark_sidecar.policies.sources import PolicySourceError, policy_sources
from sark_sidecar.settings import PolicySettings

from .archive import ArchiveLimits, unpack
from .manifest import MANIFEST, check_roots, parse_manifest
from .signature import SIGNATURES, verify

_DATA = frozenset({"data.json", "data.yaml", "data.yml"})
_COMPILED_ELSEWHERE = frozenset({"policy.wasm", "plan.json", "plan.pb"})
_PATCH = "patch.json"


def compile_bundle(raw: bytes, settings: PolicySettings) -> CompiledPolicies:
    """Unpack, verify and compile a bundle. Blocks; call it in a thread.

    Raises:
        PolicySourceError: it is broken, beyond a limit, not signed as it must be, or does not compile.
    """
    files = unpack(raw, ArchiveLimits(settings.max_files, settings.max_bytes))
    verify(files, settings.bundle.signing)
    plain = {name.removeprefix("./"): content for name, content in files.items()}
    if len(plain) != len(files):
        raise PolicySourceError("the bundle holds a file both with and without ./ before its name")
    manifest = parse_manifest(plain.get(MANIFEST))
    sources = policy_sources(dict(_serving(plain)))
    ignored = tuple(_ignored(plain))
    if manifest.wasm:
        ignored += (f"{MANIFEST}: wasm is not used; the embedded engine evaluates the Rego beside it",)
    compiled = compile_sources(sources, max_memory_bytes=settings.max_memory_bytes, label=manifest.revision, ignored=ignored)
    check_roots(manifest, compiled.policies.packages, sources.data)
    return compiled


def _serving(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield modules and data; what OPA would read otherwise than it looks is refused."""
    for name, content in files.items():
        folders, _, base = name.rpartition("/")
        if base == _PATCH:
            raise PolicySourceError(f"{name}: a delta bundle has no policies of its own; the server must send whole ones")
        if base.endswith((MANIFEST, f"{MANIFEST}.pb")) and name != MANIFEST:
            raise PolicySourceError(f"{name}: the manifest must be the file {MANIFEST} at the bundle's top, in JSON")
        if name.endswith(".rego"):
            yield name, content
        elif base in _DATA:
            if folders.startswith("."):
                raise PolicySourceError(f"{name}: OPA drops the dots before a folder's name; data cannot lie there")
            yield name, content


def _ignored(files: Mapping[str, bytes]) -> Iterator[str]:
    for name in files:
        base = name.rpartition("/")[2]
        if base in _COMPILED_ELSEWHERE:
            yield f"{name} is not used; the embedded engine evaluates the Rego beside it"
        elif base.endswith((".json", ".yaml", ".yml")) and base not in _DATA | {SIGNATURES}:
            yield f"{name} is not read, neither here nor by OPA: in a bundle only data.json and data.yaml are data"
