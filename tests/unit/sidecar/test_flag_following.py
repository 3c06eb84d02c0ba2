"""The shell around the flag state: files, the clock, the state file, and the order in which the data plane learns."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import NoReturn

import pytest
import structlog

from sark_api.flags import MAX_DOCUMENT_BYTES, FeatureFlags, FlagDocument, Shadow
from sark_api.report import FlagState
from sark_sidecar.flags import following as following_module
from sark_sidecar.flags import state
from sark_sidecar.flags.configmap import MAX_BACKOFF_SECONDS, backoff
from sark_sidecar.flags.file import FlagFile, read_document_file
from sark_sidecar.flags.following import FlagFollower
from sark_sidecar.flags.persisted import load_document, save_document
from sark_sidecar.flags.state import Flags, Origin, Share, offer
from sark_sidecar.telemetry import Telemetry


class Metrics:
    """The registry's interface, kept in memory."""

    def __init__(self) -> None:
        self.gauges: dict[str, float] = {}
        self.counters: Counter[str] = Counter()

    def set_gauge(self, name: str, help: str, value: float) -> None:  # noqa: A002, ARG002 - the registry's signature
        self.gauges[name] = value

    def inc_counter(self, name: str, help: str, amount: int = 1) -> None:  # noqa: A002, ARG002 - the registry's signature
        self.counters[name] += amount


def document(percentage: int = 25, revision: int = 1, valid: timedelta = timedelta(minutes=5)) -> FlagDocument:
    return FlagDocument(
        feature_flags=FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percentage),
        salt="salt",
        rollout="team/gateway",
        revision=revision,
        valid_until=datetime.now(UTC) + valid if 0 < percentage < 100 else None,
    ).sealed()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def applied() -> list[Share]:
    return []


@asynccontextmanager
async def following(applied: list[Share], metrics: Metrics, state_file: Path | None = None) -> AsyncIterator[FlagFollower]:
    follower = FlagFollower(follows_api=True, apply=applied.append, telemetry=Telemetry(metrics), state_file=state_file)
    tasks = [asyncio.create_task(follower.keep_time()), asyncio.create_task(follower.keep_state())]
    try:
        yield follower
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of events
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_without_a_document_everybody_is_on_baseline(applied: list[Share], metrics: Metrics):
    async with following(applied, metrics) as follower:
        assert applied == [Share()]
        assert (follower.flags.state, follower.flags.share.percentage) == (FlagState.NONE, 0)


@pytest.mark.asyncio
async def test_validity_ends_by_the_clock_alone(applied: list[Share], metrics: Metrics):
    async with following(applied, metrics) as follower:
        # Given a share that is valid for a moment, and no further event
        follower.receive(document(percentage=25, valid=timedelta(seconds=0.3)).to_json(), Origin.WATCH)
        assert applied[-1].percentage in {25, 0}
        # Then the data plane is told to go to baseline
        await until(lambda: applied[-1].percentage == 0 and len(applied) > 1)
        assert follower.flags.state is FlagState.EXPIRED
        assert metrics.gauges["sark_flags_expired"] == 1
        assert applied[-1].rollout == "team/gateway"


@pytest.mark.asyncio
async def test_the_data_plane_is_told_when_validity_ends_by_the_monotonic_clock(applied: list[Share], metrics: Metrics):
    async with following(applied, metrics) as follower:
        # When a share comes that is valid for a minute, and then one that is valid for two
        for revision, minutes in ((1, 1), (2, 2)):
            before = time.monotonic()
            follower.receive(document(revision=revision, valid=timedelta(minutes=minutes)).to_json(), Origin.WATCH)
            assert before + 60 * minutes - 1 < applied[-1].ends <= time.monotonic() + 60 * minutes
        # Then everybody and nobody have no end
        for revision, percentage in ((3, 100), (4, 0)):
            follower.receive(document(percentage=percentage, revision=revision).to_json(), Origin.WATCH)
            assert applied[-1] == Share("team/gateway", revision, percentage, "salt", rust_opa=True, rust_cache=True)
            assert applied[-1].ends == inf


@pytest.mark.asyncio
@pytest.mark.parametrize("is_begun", [True, False])
async def test_a_document_that_came_before_the_end_is_on_disk_after_it(
    applied: list[Share], metrics: Metrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_begun: bool
):
    # Given a disk that takes its time, and a document that takes everybody back to baseline
    begun = threading.Event()

    def slowly(path: Path, kept: FlagDocument) -> None:
        begun.set()
        time.sleep(0.3)
        save_document(path, kept)

    monkeypatch.setattr(following_module, "save_document", slowly)
    state_file = tmp_path / "flags.json"
    async with following(applied, metrics, state_file) as follower:
        await asyncio.sleep(0)
        follower.receive(document(percentage=0, revision=7).to_json(), Origin.WATCH)
        if is_begun:
            await until(begun.is_set)
        # When the sidecar ends at once
    # Then it is what a restart begins with
    assert json.loads(state_file.read_text(encoding="utf-8"))["revision"] == 7


@pytest.mark.asyncio
async def test_a_broken_document_is_counted_once_and_the_last_good_one_stays(applied: list[Share], metrics: Metrics):
    async with following(applied, metrics) as follower:
        follower.receive(document(revision=3).to_json(), Origin.WATCH)
        broken = document(revision=4).to_json().replace('"rollout_percentage": 25', '"rollout_percentage": 99')
        for _ in range(3):
            follower.receive(broken, Origin.WATCH)
        assert [share.revision for share in applied] == [0, 3]
        assert metrics.counters["sark_flag_documents_refused_total"] == 1
        assert "sha256 does not match" in follower.flags.last_refusals[Origin.WATCH].reason
        # A share between 0 and 100 without an end is refused too.
        endless = document(percentage=25, revision=5).model_copy(update={"valid_until": None}).sealed()
        follower.receive(endless.to_json(), Origin.WATCH)
        assert follower.flags.share.revision == 3
        assert metrics.counters["sark_flag_documents_refused_total"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sha256": "é" * 64}, id="a checksum that is no ASCII"),
        pytest.param({"valid_until": "9999-12-31T23:59:59-14:00"}, id="an end that has no year in UTC"),
    ],
)
@pytest.mark.asyncio
async def test_a_document_that_nobody_thought_of_is_counted_and_the_last_good_one_stays(
    changes: dict[str, str], applied: list[Share], metrics: Metrics
):
    async with following(applied, metrics) as follower:
        follower.receive(document(revision=3).to_json(), Origin.WATCH)
        follower.receive(json.dumps({**json.loads(document(revision=4).to_json()), **changes}), Origin.WATCH)
        assert [share.revision for share in applied] == [0, 3]
        assert metrics.counters["sark_flag_documents_refused_total"] == 1


@pytest.mark.asyncio
async def test_an_error_that_nobody_foresaw_refuses_the_document_and_is_logged_with_its_stack(
    applied: list[Share], metrics: Metrics, monkeypatch: pytest.MonkeyPatch
):
    async with following(applied, metrics) as follower:
        # Given a document in force, and a reader that breaks
        follower.receive(document(revision=3).to_json(), Origin.WATCH)
        with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
            patch.setattr(state, "parse_flag_document", broken)
            for _ in range(3):
                follower.receive(document(revision=4).to_json(), Origin.WATCH)
        # Then it is refused and counted as others are, and the log has the stack once
        assert [share.revision for share in applied] == [0, 3]
        assert metrics.counters["sark_flag_documents_refused_total"] == 1
        assert "RuntimeError: bug" in follower.flags.last_refusals[Origin.WATCH].reason
        assert [each["exc_info"] for each in logs if each["log_level"] == "error"] == [True]
        # And the next one is followed
        follower.receive(document(revision=5).to_json(), Origin.WATCH)
        assert applied[-1].revision == 5


def broken(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("bug")


@pytest.mark.asyncio
async def test_a_share_that_the_data_plane_does_not_take_is_not_taken_for_one_in_force(metrics: Metrics):
    # Given a data plane that takes the first share and no other
    def apply(share: Share) -> None:
        if share.revision:
            broken()

    follower = FlagFollower(follows_api=True, apply=apply, telemetry=Telemetry(metrics))
    # Then whoever brought the document learns of it, and what is told is what is in force
    with pytest.raises(RuntimeError):
        follower.receive(document(revision=3).to_json(), Origin.WATCH)
    assert follower.flags.share == Share()


@pytest.mark.asyncio
async def test_an_older_document_is_ignored_and_counted(applied: list[Share], metrics: Metrics):
    async with following(applied, metrics) as follower:
        follower.receive(document(percentage=0, revision=9).to_json(), Origin.WATCH)
        follower.receive(document(percentage=100, revision=8).to_json(), Origin.FILE)
        assert follower.flags.share.percentage == 0
        assert metrics.counters["sark_flag_documents_ignored_total"] == 1


@pytest.mark.asyncio
async def test_a_deleted_config_map_leaves_the_last_document_in_force(applied: list[Share], metrics: Metrics):
    async with following(applied, metrics) as follower:
        follower.receive(document(percentage=100).to_json(), Origin.WATCH)
        follower.absent("ConfigMap team/flags was deleted", Origin.WATCH)
        assert follower.flags.share.percentage == 100
        assert follower.problem == "ConfigMap team/flags was deleted"


@pytest.mark.asyncio
async def test_a_restart_goes_on_with_the_kept_document(tmp_path: Path, applied: list[Share], metrics: Metrics):
    kept = tmp_path / "flags.json"
    async with following(applied, metrics, kept) as follower:
        follower.receive(document(revision=7).to_json(), Origin.WATCH)
        await until(kept.exists)
    async with following(applied, metrics, kept) as restarted:
        await restarted.restore()
        assert restarted.flags.share == follower.flags.share
        assert restarted.flags.state is FlagState.STALE
        # What was kept is no word of the source.
        assert not restarted.answered.is_set()


@pytest.mark.asyncio
async def test_a_kept_document_past_its_validity_only_fences(tmp_path: Path, applied: list[Share], metrics: Metrics):
    kept = tmp_path / "flags.json"
    save_document(kept, document(revision=7, valid=timedelta(seconds=-1)))
    async with following(applied, metrics, kept) as follower:
        await follower.restore()
        assert (follower.flags.share.revision, follower.flags.share.percentage) == (7, 0)
        follower.receive(document(percentage=100, revision=6).to_json(), Origin.WATCH)
        assert follower.flags.share.percentage == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"x" * (MAX_DOCUMENT_BYTES + 10)])
@pytest.mark.asyncio
async def test_rubbish_in_the_state_file_is_no_hindrance(
    content: bytes, tmp_path: Path, applied: list[Share], metrics: Metrics
):
    kept = tmp_path / "flags.json"
    kept.write_bytes(content)
    async with following(applied, metrics, kept) as follower:
        await follower.restore()
        assert follower.flags.share == Share()
        follower.receive(document(revision=1).to_json(), Origin.WATCH)
        assert follower.flags.share.revision == 1


@pytest.mark.asyncio
async def test_a_state_file_that_cannot_be_written_is_told_and_written_once_it_can(
    tmp_path: Path, applied: list[Share], metrics: Metrics, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(following_module, "KEEP_AGAIN_SECONDS", 0.01)
    path = tmp_path / "missing" / "flags.json"
    async with following(applied, metrics, path) as follower:
        follower.receive(document().to_json(), Origin.WATCH)
        await until(lambda: metrics.counters["sark_flag_state_file_failures_total"] > 1)
        assert follower.state_file_problem == f"flags.state_file {path} cannot be written: No such file or directory"
        assert follower.flags.share.percentage == 25
        # When there is room for it, then it is kept although no other document comes
        path.parent.mkdir()
        await until(path.exists)
        await until(lambda: follower.state_file_problem == "")
        assert load_document(path) == document_text(follower)


@pytest.mark.asyncio
async def test_an_error_that_nobody_foresaw_keeps_nobody_from_keeping_the_next_document(
    tmp_path: Path, applied: list[Share], metrics: Metrics, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(following_module, "KEEP_AGAIN_SECONDS", 0.01)
    path = tmp_path / "flags.json"
    async with following(applied, metrics, path) as follower:
        # Given a document that cannot be written down, for a reason of ours
        with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
            patch.setattr(following_module, "save_document", broken)
            follower.receive(document().to_json(), Origin.WATCH)
            await until(lambda: metrics.counters["sark_flag_state_file_failures_total"] > 1)
        # Then it is told once, with its stack, and tried again
        assert "RuntimeError: bug" in follower.state_file_problem
        assert [str(each["exc_info"]) for each in logs if "exc_info" in each] == ["bug"]
        await until(lambda: follower.state_file_problem == "")
        assert load_document(path) == document_text(follower)


@pytest.mark.asyncio
async def test_a_kept_document_that_breaks_its_reader_is_no_hindrance(
    tmp_path: Path, applied: list[Share], metrics: Metrics, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(following_module, "load_document", broken)
    async with following(applied, metrics, tmp_path / "flags.json") as follower:
        with structlog.testing.capture_logs() as logs:
            await follower.restore()
        assert follower.flags.share == Share()
        assert [each["log_level"] for each in logs] == ["error"]


def document_text(follower: FlagFollower) -> bytes:
    assert follower.flags.document is not None
    return follower.flags.document.to_json().encode()


def test_the_state_file_is_replaced_as_a_whole(tmp_path: Path):
    path = tmp_path / "flags.json"
    save_document(path, document(revision=1))
    save_document(path, document(revision=2))
    text = load_document(path)
    assert text is not None
    assert b'"revision": 2' in text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.asyncio
async def test_a_file_is_told_of_once_per_content(tmp_path: Path):
    path = tmp_path / "flags.json"
    seen: list[bytes] = []
    problems: list[str] = []
    file = FlagFile(path, on_text=seen.append, on_problem=problems.append)
    for content in (None, None, b"one", b"one", b"two", None):
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)
        await file.look()
    assert seen == [b"one", b"two"]
    assert problems == [f"flag file {path} does not exist"] * 2


@pytest.mark.asyncio
async def test_a_file_that_breaks_its_reader_is_told_once_and_followed_on(tmp_path: Path):
    path = tmp_path / "flags.json"
    seen: list[bytes] = []
    problems: list[str] = []

    def on_text(text: bytes) -> None:
        if text == b"odd":
            broken()
        seen.append(text)

    file = FlagFile(path, on_text=on_text, on_problem=problems.append)
    with structlog.testing.capture_logs() as logs:
        for content in (b"one", b"odd", b"odd", b"two"):
            path.write_bytes(content)
            await file.look()
    assert seen == [b"one", b"two"]
    assert [problem.partition(": ")[2] for problem in problems] == ["a fault of the sidecar, see its log: RuntimeError: bug"]
    assert [(each["log_level"], str(each["exc_info"])) for each in logs] == [("error", "bug")]


@pytest.mark.asyncio
async def test_a_pipe_or_folder_in_place_of_the_file_hangs_nothing(tmp_path: Path):
    problems: list[str] = []
    for name in ("pipe", "folder"):
        path = tmp_path / name
        os.mkfifo(path) if name == "pipe" else path.mkdir()
        await FlagFile(path, on_text=lambda _: pytest.fail("read"), on_problem=problems.append).look()
    assert "is not a plain file" in problems[0]
    assert "Is a directory" in problems[1]


def test_of_an_endless_file_only_the_beginning_is_read(tmp_path: Path):
    path = tmp_path / "flags.json"
    path.write_bytes(b"x" * (MAX_DOCUMENT_BYTES * 2))
    assert len(read_document_file(path) or b"") == MAX_DOCUMENT_BYTES + 1


@pytest.mark.asyncio
async def test_a_shadow_that_is_asked_for_changes_nothing_else(applied: list[Share], metrics: Metrics):
    async with following(applied, metrics) as follower:
        asked = document().model_copy(update={"shadow": Shadow(enabled=True, sample_percentage=10)}).sealed()
        follower.receive(asked.to_json(), Origin.WATCH)
        assert follower.flags.share.percentage == 25


def test_the_back_off_grows_is_spread_and_has_an_end():
    assert backoff(0, 0.0) == pytest.approx(0.05)
    assert backoff(1, 1.0) == pytest.approx(10 * backoff(1, 0.0)) == pytest.approx(1.0)
    assert backoff(2, 1.0) > backoff(1, 1.0)
    assert all(backoff(failures, 1.0) <= MAX_BACKOFF_SECONDS for failures in range(2000))
    assert backoff(50, 0.0) == pytest.approx(MAX_BACKOFF_SECONDS / 10)


@pytest.mark.asyncio
async def test_validity_ends_although_the_clock_is_set_back_before(applied: list[Share], metrics: Metrics):
    # Given a share that is valid for a moment, on a node whose clock is then set back by an hour
    set_by = timedelta(0)
    follower = FlagFollower(
        follows_api=True, apply=applied.append, telemetry=Telemetry(metrics), clock=lambda: datetime.now(UTC) + set_by
    )
    follower.receive(document(valid=timedelta(seconds=1)).to_json(), Origin.WATCH)
    assert applied[-1].percentage == 25
    set_by = timedelta(hours=-1)

    # Then it ends all the same, for as long has passed
    task = asyncio.create_task(follower.keep_time())
    await until(lambda: applied[-1].percentage == 0)
    task.cancel()
    assert follower.flags.state is FlagState.EXPIRED


def test_of_two_documents_with_one_revision_the_way_back_wins() -> None:
    # Given a document with the highest revision there is, which nobody can go above
    highest = 2**53 - 1
    now = datetime.now(UTC)
    flags = Flags(since=now, follows_api=True)
    flags = offer(flags, document(percentage=100, revision=highest).to_json(), Origin.WATCH, now)
    assert flags.share.percentage == 100

    # When one of 0 % comes with it, then it is followed
    flags = offer(flags, document(percentage=0, revision=highest).to_json(), Origin.WATCH, now)
    assert (flags.share.percentage, flags.share.revision) == (0, highest)

    # And no share comes back with it
    flags = offer(flags, document(percentage=25, revision=highest).to_json(), Origin.FILE, now)
    assert flags.share.percentage == 0
    assert flags.refused == 1
