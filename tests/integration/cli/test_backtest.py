"""A rollout replayed on the past of a real Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_e2e import binaries
from sark_e2e.cluster import LocalCluster
from sark_e2e.guarded_prometheus import PASSWORD, USER, GuardedPrometheus
from sark_e2e.past_prometheus import PastPrometheus, scrapes

Run = Callable[..., Any]
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LENGTH = timedelta(minutes=50)
BAD_AT = START + timedelta(minutes=20)
SPEC = {
    "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "gateway-flags"},
    "prometheus": {"address": "http://prometheus.monitoring:9090"},
    "steps": [{"percent": 25, "bake": "5m"}, {"percent": 100, "bake": "5m"}],
    "interval": "15s",
    "criteria": {"window": "2m", "memoryGrowth": {"window": "5m"}},
}


@pytest.fixture(scope="module")
def past(cluster: LocalCluster) -> Iterator[PastPrometheus]:
    """A Prometheus that remembers a good hour of shop/good, and one of shop/bad whose new arm failed from 12:20 on."""
    binary = binaries.programs()["prometheus"]
    with PastPrometheus(binary, network=cluster.network, folder=cluster.folder / "past-prometheus") as server:
        good = scrapes("shop/good", START, LENGTH, rate=50, new_share=0.4)
        bad = scrapes("shop/bad", START, LENGTH, rate=50, new_share=0.4, failing=lambda at: 0.2 if at >= BAD_AT else 0.0)
        server.fill((at, [*one, *other]) for (at, one), (_, other) in zip(good, bad, strict=True))
        yield server


@pytest.fixture
def rollout(tmp_path: Path) -> Callable[[str], str]:
    """Write a rollout of this name with bakes long enough, and return its file."""

    def write(name: str, **spec: Any) -> str:
        file = tmp_path / f"{name}.yaml"
        body = {"apiVersion": "sark.dev/v1alpha1", "kind": "SarkRollout", "metadata": {"name": name, "namespace": "shop"}}
        file.write_text(yaml.safe_dump({**body, "spec": SPEC | spec}))
        return str(file)

    return write


@pytest.fixture
def backtest(run: Run, past: PastPrometheus) -> Run:
    """Replay a file from five minutes after the past began."""

    def start(file: str, *more: str, url: str = "") -> Any:
        begin, end = START + timedelta(minutes=6), START + LENGTH
        place = ("--prometheus", url or past.url, "--start", begin.isoformat(), "--end", end.isoformat())
        return run("backtest", file, *place, *more)

    return start


def test_a_good_past_completes(backtest: Run, rollout: Callable[..., str]):
    done = backtest(rollout("good"), "-o", "json")
    assert done.code == 0, done.out + done.err
    assert done.data["phase"] == "Completed"
    assert [each["reason"] for each in done.data["transitions"]] == ["Started", "Advanced", "Completed"]
    assert " 10%  2026-01-01 12:1" in done.err


def test_a_bad_past_is_reverted_soon_after_it_went_bad(backtest: Run, rollout: Callable[..., str]):
    # Given a step that is still baking when the errors begin
    steps = [{"percent": 25, "bake": "30m"}, {"percent": 100, "bake": "30m"}]

    # When it is replayed
    done = backtest(rollout("bad", steps=steps), "-o", "json")

    # Then it goes back because of the errors, within the window after the first
    assert done.code == 5, done.out + done.err
    reverted = next(each for each in done.data["transitions"] if each["reason"] == "CriterionBreached")
    assert "errorRate" in reverted["message"]
    at = datetime.fromisoformat(reverted["time"])
    assert timedelta(0) <= at - BAD_AT <= timedelta(minutes=2)

    # And for people
    told = backtest(rollout("bad", steps=steps))
    assert told.code == 5
    assert "It would have gone back at 2026-01-01 12:2" in told.out


def test_larger_steps_take_the_same_way(backtest: Run, rollout: Callable[..., str]):
    done = backtest(rollout("good"), "--step", "1m", "-o", "json")
    assert (done.code, done.data["phase"]) == (0, "Completed")
    assert done.data["step"] == "1m"


def test_series_of_another_name_can_be_read(backtest: Run, rollout: Callable[..., str]):
    assert backtest(rollout("candidate"), "--rollout", "shop/good").code == 0


def test_a_past_without_its_series_is_not_replayed(backtest: Run, rollout: Callable[..., str]):
    done = backtest(rollout("nobody"), "-o", "json")
    assert (done.code, done.out) == (6, "")
    assert 'has no series with sark_rollout="shop/nobody" from 2026-01-01 12:06:00Z to 2026-01-01 12:50:00Z' in done.err


def test_what_is_to_come_is_refused(backtest: Run, rollout: Callable[..., str]):
    later = datetime.now(UTC) + timedelta(days=1)
    done = backtest(rollout("good"), "--end", later.isoformat())
    assert done.code == 2
    assert "--end must not be later than now" in done.err


def test_a_fleet_of_which_a_part_was_scraped_proves_nothing(backtest: Run, rollout: Callable[..., str]):
    done = backtest(rollout("good"), "--replicas", "9", "-o", "json")
    assert done.code == 5, done.out + done.err
    assert done.data["replicas"] == 9
    assert any("of 9 ready sidecars" in each["message"] for each in done.data["waits"])


def test_a_window_between_two_evaluations_is_not_stepped_over(backtest: Run, rollout: Callable[..., str]):
    windows = [{"days": ["Thu"], "start": "12:10", "end": "12:13", "timeZone": "UTC"}]
    done = backtest(rollout("good", windows=windows), "--step", "15m", "-o", "json")
    first = done.data["transitions"][0]
    assert (first["reason"], first["time"][:19]) == ("Started", "2026-01-01T12:10:00")


def test_an_outage_of_now_is_not_taken_for_one_of_then(backtest: Run, rollout: Callable[..., str], cluster: LocalCluster):
    done = backtest(rollout("good"), url=f"http://{cluster.network.server}:{cluster.network.port()}")
    assert done.code == 1
    assert "the replay was ended" in done.err
    assert "cannot be reached" in done.err


def test_a_guarded_server_is_asked_by_the_operators_own_file(
    backtest: Run, rollout: Callable[..., str], cluster: LocalCluster, tmp_path: Path
):
    # Given a Prometheus with an authority of its own and basic auth, and the operator's file about it
    folder, password, config = cluster.folder / "guarded-past", tmp_path / "password", tmp_path / "prometheus.yaml"
    password.write_text(PASSWORD)
    with GuardedPrometheus(binaries.programs()["prometheus"], network=cluster.network, folder=folder) as server:
        tls = {"ca_file": str(server.authority.certificate)}
        basic = {"username": USER, "password_file": str(password)}
        config.write_text(yaml.safe_dump({"servers": [{"address": server.url, "basic_auth": basic, "tls_config": tls}]}))

        # When it is replayed without the file, then the replay ends; with it, the server is asked, and its past is empty
        assert "certificate verify failed" in backtest(rollout("good"), url=server.url).err.lower()
        done = backtest(rollout("good"), "--prometheus-config", str(config), "-o", "json", url=server.url)
    assert done.code == 6, done.err
    assert "has no series" in done.err


def test_too_many_evaluations_are_refused(run: Run, rollout: Callable[..., str]):
    done = run(
        "backtest", rollout("good"), "--prometheus", "http://127.0.0.1:9", "--start", "2020-01-01", "--end", "2026-01-01",
        "--step", "15s",
    )  # fmt: skip
    assert done.code == 2
    assert "are too many" in done.err
