"""Notices through Apprise to a real HTTP receiver: once each over deaths and leaders, and never in a revert's way."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from sark_api.status import Phase
from sark_e2e.cluster import LocalCluster
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.scenario import Scenario

pytestmark = pytest.mark.timeout(240)


@dataclass
class Receiver:
    """Somebody who is told."""

    url: str = ""
    refusals: int = 0
    """How many notices it answers with 503 before it takes one."""
    hang: threading.Event | None = None
    """What it waits for before it answers."""
    got: list[dict[str, str]] = field(default_factory=list)
    once: Callable[[], object] | None = None
    """What is done when the next notice has come, before it is answered."""

    @property
    def told(self) -> list[str]:
        """Reasons in the order of arrival."""
        return [str(re.search(r": (\w+)", each["title"].split("/", 1)[1]).group(1)) for each in self.got]  # type: ignore[union-attr]

    def has_heard(self, reason: str) -> bool:
        """Whether it was told of that."""
        return reason in self.told

    @property
    def ids(self) -> list[str]:
        """What tells a notice from another one."""
        return [each["message"].rsplit(" ", 1)[1] for each in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@contextmanager
def receiving() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if made.hang is not None:
                made.hang.wait(60)
            status = 200
            if made.refusals:
                made.refusals -= 1
                status = 503
            else:
                made.got.append(body)
            act, made.once = made.once, None
            if act is not None:
                act()
            try:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                self.close_connection = True  # whoever told it is dead

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"json://user:hush-password@127.0.0.1:{server.server_address[1]}/notices"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        if made.hang is not None:
            made.hang.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    with Scenario(cluster, prefix="notices") as story:
        yield story


def test_every_transition_is_told_once_over_deaths_and_leaders(scenario: Scenario, receiver: Receiver, tmp_path: Path):
    # Given an operator that tells a receiver, which refuses at first
    urls = tmp_path / "urls"
    urls.write_text(f"# ours\n{receiver.url}\n")
    receiver.refusals = 2
    fleet = scenario.fleet(replicas=1)
    first = scenario.operator(arguments=(f"--notify-file={urls}",))
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="8s"))
    rollout.until("a notice that is noted", lambda seen: bool(seen.status.notified and receiver.told), seconds=90)
    rollout.until(
        "the note of the start",
        lambda seen: bool(seen.status.notified and seen.status.notified.until == seen.status.history[0].time),
        seconds=30,
    )

    # When another one takes over after its death
    first.kill()
    scenario.operator(name="second", arguments=(f"--notify-file={urls}",))
    rollout.becomes(Phase.COMPLETED, seconds=120)
    eventually(lambda: "Completed" in receiver.told, what="the last notice", seconds=30)

    # Then each transition was told, and none twice
    assert receiver.told == ["Started", "Advanced", "Completed"]
    assert len(set(receiver.ids)) == 3
    assert all(each["type"] == "info" for each in receiver.got)

    # And the address stands in no log and no status
    assert "hush" not in first.log.read_text()
    assert "hush" not in str(rollout.read().status)


@pytest.mark.long
def test_a_leader_that_dies_before_it_notes_what_it_told_leaves_one_notice_twice_under_one_id(
    scenario: Scenario, receiver: Receiver, tmp_path: Path
):
    # Given an operator that dies when its first notice has come, and nobody has noted that
    urls = tmp_path / "urls"
    urls.write_text(f"{receiver.url}\n")
    fleet = scenario.fleet(replicas=1)
    first = scenario.operator(arguments=(f"--notify-file={urls}",))
    receiver.once = first.kill
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="8s"))
    eventually(lambda: bool(receiver.told) and not first.running, what="a death", seconds=90)

    # When another one goes on
    scenario.operator(name="second", arguments=(f"--notify-file={urls}",))
    rollout.becomes(Phase.COMPLETED, seconds=120)
    eventually(lambda: "Completed" in receiver.told, what="the last notice", seconds=30)

    # Then that one notice came a second time, by its id the same, and every other one once
    assert receiver.told == ["Started", "Started", "Advanced", "Completed"]
    assert receiver.ids[0] == receiver.ids[1]
    assert len(set(receiver.ids)) == 3


def test_a_leader_that_dies_while_one_address_is_behind_leaves_the_others_in_peace(
    scenario: Scenario, receiver: Receiver, tmp_path: Path
):
    # Given two receivers, of which one takes nothing, and a status that says which
    with receiving() as slow:
        urls = tmp_path / "urls"
        urls.write_text(f"name=prompt {receiver.url}\nname=slow {slow.url}\n")
        slow.refusals = 1000
        fleet = scenario.fleet(replicas=1)
        first = scenario.operator(arguments=(f"--notify-file={urls}",))
        scenario.traffic(fleet)
        rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="8s"))
        rollout.until(
            "the note of who is ahead",
            lambda seen: (
                [each.name for each in (seen.status.notified and seen.status.notified.addresses) or ()] == ["prompt", "slow"]
            ),
            seconds=90,
        )

        # When the process dies, and another one finds a receiver that has recovered, in a file of another order
        first.kill()
        slow.refusals = 0
        urls.write_text(f"name=slow {slow.url}\nname=prompt {receiver.url}\n")
        scenario.operator(name="second", arguments=(f"--notify-file={urls}",))
        rollout.becomes(Phase.COMPLETED, seconds=120)
        for each in (receiver, slow):
            eventually(partial(each.has_heard, "Completed"), what="the last notice", seconds=30)

        # Then each was told of each transition once, and nothing is left of who was ahead
        assert receiver.told == slow.told == ["Started", "Advanced", "Completed"]
        rollout.until(
            "the note that all are level",
            lambda seen: bool(seen.status.notified and not seen.status.notified.addresses),
            seconds=30,
        )
        assert "hush" not in str(rollout.read().status)


def test_a_receiver_that_hangs_delays_no_revert(scenario: Scenario, receiver: Receiver, tmp_path: Path):
    # Given a receiver that takes connections and never answers
    urls = tmp_path / "urls"
    urls.write_text(f"{receiver.url}\nwarnings=json://127.0.0.1:9/nobody\n")
    receiver.hang = threading.Event()
    fleet = scenario.fleet(replicas=1)
    scenario.operator(arguments=(f"--notify-file={urls}",))
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.bakes(50, milliseconds=1000, seconds=90)

    # When a criterion is breached, then the baseline is back while the first notice still hangs
    fleet.inject(error_percent=40)
    rollout.becomes(Phase.REVERTED, seconds=60)
    scenario.serves(fleet, 0, seconds=5)
    assert receiver.told == []

    # And when it answers again, it hears what had to wait, as a warning
    receiver.hang.set()
    eventually(lambda: "BaselineRestored" in receiver.told, what="the notices that waited", seconds=120)
    assert {each["type"] for each in receiver.got if "CriterionBreached" in each["title"]} == {"warning"}
