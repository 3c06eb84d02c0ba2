"""What is told of a certificate's end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from sark_e2e.certificates import VALIDITY, Authority
from sark_sidecar import credentials as credentials_module
from sark_sidecar.credentials import Credential, Credentials, certificate_end


class Counter:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.left: dict[str, float] = {}
        self.refused = 0

    def credentials_refused(self) -> None:
        self.refused += 1

    def credentials_stale(self, stale: bool) -> None:
        """Keep nothing."""

    def certificate_left(self, listener: str, seconds: float) -> None:
        self.left[listener] = seconds


async def use(_: Mapping[str, bytes]) -> None:
    """Take everything."""


def test_the_first_certificate_of_a_chain_to_end_counts(tmp_path: Path):
    authority = Authority(tmp_path)
    good, _ = authority.server("good", ["127.0.0.1"], [])
    old, _ = authority.server("old", ["127.0.0.1"], [], expired=True)
    now = datetime.now(UTC)
    end = certificate_end(good.read_bytes())
    assert end is not None
    assert timedelta() < end - now <= VALIDITY
    assert certificate_end(good.read_bytes() + old.read_bytes()) == certificate_end(old.read_bytes())
    assert certificate_end(old.read_bytes()) < now  # type: ignore[operator]


@pytest.mark.parametrize("text", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_cannot_be_read_has_no_end(text: bytes):
    assert certificate_end(text) is None


@pytest.mark.asyncio
async def test_what_is_told_is_of_the_certificate_in_use(tmp_path: Path):
    # Given a certificate that has ended, and tokens, which do not end
    authority = Authority(tmp_path)
    old, _ = authority.server("old", ["127.0.0.1"], [], expired=True)
    new, _ = authority.server("new", ["127.0.0.1"], [])
    file, tokens = tmp_path / "tls.crt", tmp_path / "tokens"
    file.write_bytes(old.read_bytes())
    tokens.write_text("token")
    credentials, counter = Credentials(), Counter()
    await credentials.begin(Credential("data.tls", {"cert_file": file}, use, certificate="cert_file"))
    await credentials.begin(Credential("data", {"token_file": tokens}, use))
    assert credentials.status()["data.tls"]["seconds_left"] < 0
    assert "expires" not in credentials.status()["data"]

    # When it is followed, then that is told; and when it is renewed, then the new one's end
    following = asyncio.create_task(credentials.follow(counter))
    try:
        await until(lambda: counter.left.get("data", 1.0) < 0)
        file.write_bytes(new.read_bytes())
        await until(lambda: counter.left["data"] > 0, nudged=credentials)
        assert credentials.status()["data.tls"]["seconds_left"] == pytest.approx(counter.left["data"], abs=60)

        # And a file that is no longer there changes nothing of it
        file.unlink()
        await until(lambda: counter.refused == 1, nudged=credentials)
        assert credentials.status()["data.tls"]["seconds_left"] > 0
    finally:
        following.cancel()


async def until(condition: object, *, nudged: Credentials | None = None) -> None:
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]
            if nudged is not None:
                nudged.nudge.give()
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_contents_that_break_their_reader_are_counted_once_and_those_before_stay_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(credentials_module, "LOOK_SECONDS", 0.01)
    file, used = tmp_path / "tokens", []
    file.write_bytes(b"one")

    async def use_or_break(contents: Mapping[str, bytes]) -> None:
        if contents["token_file"] == b"odd":
            raise RuntimeError("bug")
        used.append(contents["token_file"])

    # Given credentials in use, and then contents on which the listener's library fails in a way of its own
    credentials, counter = Credentials(), Counter()
    await credentials.begin(Credential("data", {"token_file": file}, use_or_break))
    following = asyncio.create_task(credentials.follow(counter))
    with structlog.testing.capture_logs() as logs:
        file.write_bytes(b"odd")
        await asyncio.sleep(0.2)
        # Then those of before stay in use, it is counted, and the log has the stack
        assert (used, counter.refused) == ([b"one"], 1)
        assert [each["log_level"] for each in logs if "exc_info" in each] == ["error"]
        # And the next good ones are used
        file.write_bytes(b"two")
        async with asyncio.timeout(10):
            while b"two" not in used:  # noqa: ASYNC110 - what is waited for knows nothing of events
                await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
