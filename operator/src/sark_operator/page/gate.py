"""Who may look: a token, a session that a token began, or a reverse proxy that has asked already.

Pure functions and a counter; the application asks them. Comparisons take as long whatever is wrong.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

COOKIE: Final = "sark_page"
SESSION_SECONDS: Final = 12 * 3600
"""How long a session lasts; a new token ends it at once."""
FAILURES: Final = 5
"""Wrong tokens from one address within the window, after which none is looked at for the rest of it."""
WINDOW_SECONDS: Final = 60.0
_MAX_PEERS: Final = 4096
_MAX_COOKIE: Final = 128

Network = IPv4Network | IPv6Network


def same(given: str, token: bytes) -> bool:
    """Return whether `given` is the token."""
    sent = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
    return hmac.compare_digest(sent, hashlib.sha256(token).digest())


def bearer(header: str) -> str:
    """Return the token of an Authorization header, or nothing."""
    scheme, _, given = header.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def new_session(token: bytes, now: float) -> str:
    """Return a session that ends SESSION_SECONDS after `now` (Unix seconds). It does not hold the token."""
    end = str(int(now) + SESSION_SECONDS)
    return f"{end}.{_signed(token, end)}"


def is_session(text: str, token: bytes, now: float) -> bool:
    """Return whether `text` is a session begun with this token that has not ended."""
    end, _, signature = text[:_MAX_COOKIE].partition(".")
    genuine = hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), _signed(token, end).encode())
    return genuine and end.isdecimal() and int(end) > now


def comes_from(peer: str, networks: Sequence[Network]) -> bool:
    """Return whether the connection comes from one of `networks`."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)


def client(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Return the address that a request comes from: that of its connection, or what a proxy of ours says instead.

    In X-Forwarded-For each proxy adds at the end where it was asked from, so the first one from there that is no proxy of ours
    counts; whoever asks may have written what stands before it.
    """
    seen = peer
    for each in reversed(forwarded.split(",")):
        if not comes_from(seen, proxies):
            return seen
        try:
            seen = str(ip_address(each.strip()))
        except ValueError:
            return peer
    return seen


def _signed(token: bytes, end: str) -> str:
    key = hashlib.sha256(b"sark page session\0" + token).digest()
    return hmac.new(key, end.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


class Failures:
    """Counts wrong tokens by the address they come from, and remembers so many addresses and no more."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Return the seconds until a token from `peer` is looked at again; 0 for at once. `now` is monotonic."""
        recent = [at for at in self._seen.get(peer, ()) if now - at < WINDOW_SECONDS]
        return 0.0 if len(recent) < FAILURES else recent[-FAILURES] + WINDOW_SECONDS - now

    def count(self, peer: str, now: float) -> None:
        """Count a wrong token from `peer`."""
        recent = [at for at in self._seen.pop(peer, ()) if now - at < WINDOW_SECONDS]
        self._seen[peer] = [*recent, now][-FAILURES:]
        while len(self._seen) > _MAX_PEERS:
            self._seen.popitem(last=False)
