"""The page to look at of a local operator: an address, a token, and the arguments that serve it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .loopback import LoopbackNetwork


@dataclass(frozen=True, slots=True)
class ServedPage:
    """Where it is, and how one gets in."""

    url: str
    token: str
    arguments: Sequence[str]
    """What the operator is started with."""

    @classmethod
    def at(cls, network: LoopbackNetwork, folder: Path) -> Self:
        """Return a page at a free port, with a new token in a file in `folder`."""
        address, token = f"{network.server}:{network.port()}", secrets.token_hex(16)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "page-token"
        file.touch(mode=0o600)
        file.write_text(f"{token}\n", encoding="utf-8")
        return cls(f"http://{address}", token, (f"--page-address={address}", f"--page-token-file={file}"))
