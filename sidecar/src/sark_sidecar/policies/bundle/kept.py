"""The last good bundle on disk: a restart while its server is away goes on with it."""

from __future__ import annotations

from pathlib import Path

from sark_sidecar.policies.compilation import CompiledPolicies
from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.settings import PolicySettings
from sark_sidecar.whole_file import read_whole

from .content import compile_bundle


def load_kept(path: Path, settings: PolicySettings) -> CompiledPolicies | None:
    """Return the bundle kept at `path`, verified anew; None when there is none. Blocks.

    Raises:
        PolicySourceError: it cannot be read, or is refused.
    """
    limit = settings.bundle.max_compressed_bytes
    try:
        raw = read_whole(path, limit)
    except OSError as error:
        raise PolicySourceError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise PolicySourceError(str(error)) from error
    if raw is None:
        return None
    if len(raw) > limit:
        raise PolicySourceError(f"{path} has more than {limit} bytes")
    return compile_bundle(raw, settings)
