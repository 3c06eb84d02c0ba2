"""What lint says offline is what the real API server does."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_cli.connection import Connection
from sark_cli.lint.check import check
from sark_cli.lint.documents import read
from sark_cli.lint.finding import Level, spelled
from sark_cli.lint.rules import rules
from sark_cli.lint.server import ask_server
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import merged

Run = Callable[..., Any]
EXAMPLE = yaml.safe_load((Path(__file__).parents[3] / "examples" / "gateway.yaml").read_text())
CUSTOM = {"name": "depth", "query": "max(depth)", "max": "1"}

EDITS: list[Mapping[str, Any]] = [
    {},
    {"schedule": "Seed"},
    {"steps": [{"percent": 0, "bake": "48h"}, {"percent": 100, "bake": "48h"}]},
    {"steps": [{"percent": 100, "bake": "5s"}]},
    {"steps": [{"percent": 50}, {"percent": 20}, {"percent": 100}]},
    {"steps": [{"percent": 50}]},
    {"steps": []},
    {"interval": "11m"},
    {"interval": "0s"},
    {"validFor": "9s"},
    {"validFor": "10s", "interval": "6s"},
    {"criteria": {"window": "4s"}},
    {"criteria": {"memoryGrowth": {"window": "29s"}}},
    {"prometheus": {"timeout": "61s"}},
    {"prometheus": {"address": "prometheus"}},
    {"criteria": {"errorRate": {"limitBasisPoints": "100"}}},
    {"criteria": {"errorRate": {"action": "revert"}}},
    {"criteria": {"errorRte": {}}},
    {"criteria": {"custom": [CUSTOM, CUSTOM]}},
    {"criteria": {"custom": [{**CUSTOM, "max": 1}]}},
    {"mode": "auto"},
    {"attempt": 0},
    {"attempt": 1.5},
    {"target": {"matchLabels": {"app": "not valid"}}},
    {"interval": 15},
    {"windows": [{"days": ["Mon"], "start": "09:00", "end": "16:00", "timeZone": "Europe/Atlantis"}]},
    {"windows": [{"days": ["Mon"], "start": "09:00", "end": "16:00", "timeZone": "Europe/Berlin"}]},
    {"request": {"id": 1, "action": "Skip", "attempt": 1, "percent": 5}},
    {"request": {"id": 1, "action": "Skip", "attempt": 1, "percent": 50, "to": 25}},
    {"windows": [{"days": ["Mon", "Mon"], "start": "09:00", "end": "16:00", "timeZone": "Europe/Berlin"}]},
]
METADATA: list[Mapping[str, Any]] = [
    {"name": "Gateway_1/x"},
    {"name": "a..b"},
    {"name": "gateway.1"},
    {"name": "a" * 253},
    {"name": "a" * 254},
    {"labels": {"version": 1.5}},
    {"labels": {"on": True}},
    {"labels": {"team": "a b"}},
    {"labels": {"a/b/c": "d"}},
    {"labels": {"app.kubernetes.io/name": "Gateway_1", "empty": ""}},
    {"labels": None},
    {"labels": {"a": None}},
    {"labels": []},
    {"annotations": {"note": 5}},
    {"annotations": {"Sark.dev/Note": "any text"}},
    {"annotations": {"a b": "c"}},
    {"lables": {"a": "b"}},
]


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_offline_and_the_api_server_agree(edit: Mapping[str, Any], cluster: LocalCluster, tmp_path: Path):
    # Given an object with at most one mistake
    body = copy.deepcopy(EXAMPLE)
    body["spec"] = merged(body["spec"], edit)
    file = tmp_path / "rollout.yaml"
    file.write_text(yaml.safe_dump(body))
    document = read(str(file))[0]

    # When both are asked
    offline = [each for each in check(document) if each.level is Level.ERROR]
    server = ask_server(Connection(cluster.api, "default", "https://local"), document.value)

    # Then both accept it, or both refuse it; and a broken rule is told in the same sentence
    assert bool(offline) == bool(server), (offline, server)
    sentences = {message for _, message in rules()}
    told = {sentence for sentence in sentences if any(sentence in each.message for each in server)}
    broken = {each.message for each in offline}
    if broken <= sentences:  # what has a wrong form has no rules to break; the server judges some all the same
        assert told == broken


@pytest.mark.parametrize("edit", METADATA, ids=str)
def test_offline_and_the_api_server_agree_on_metadata(edit: Mapping[str, Any], cluster: LocalCluster, tmp_path: Path):
    file = tmp_path / "rollout.yaml"
    file.write_text(yaml.safe_dump(EXAMPLE | {"metadata": EXAMPLE["metadata"] | edit}))
    document = read(str(file))[0]
    offline = [each for each in check(document) if each.level is Level.ERROR]
    server = ask_server(Connection(cluster.api, "default", "https://local"), document.value)
    assert bool(offline) == bool(server), (offline, server)


def test_what_the_file_dropped_is_not_judged_with_it(cluster: LocalCluster, namespace: str, tmp_path: Path, run: Run):
    # Given a rollout that somebody else applied with steps, and a file that has a schedule in their place
    metadata = {"name": "gateway", "namespace": namespace, "labels": {"team": "a"}}
    stored = copy.deepcopy(EXAMPLE) | {"metadata": metadata}
    cluster.kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=yaml.safe_dump(stored))
    spec = {name: member for name, member in stored["spec"].items() if name != "steps"} | {"schedule": "Seed"}
    file = tmp_path / "rollout.yaml"
    file.write_text(yaml.safe_dump(stored | {"spec": spec, "metadata": {"name": "gateway"}}))

    # When the server is asked, then it judges the file's spec alone
    done = run("lint", str(file), "--server", "-n", namespace)
    assert done.code == 0, done.out + done.err

    # And what is wrong with it has its place, and nothing was stored
    file.write_text(yaml.safe_dump(stored | {"spec": spec | {"stps": [], "interval": 5}, "metadata": {"name": "gateway"}}))
    server = ask_server(Connection(cluster.api, namespace, "https://local"), read(str(file))[0].value)
    assert "spec.stps" in {spelled(each.path) for each in server}
    assert "schedule" not in cluster.kubectl("get", "sarkrollout", "gateway", "-n", namespace, "-o", "json")


def test_the_server_is_asked_and_nothing_is_stored(cluster: LocalCluster, namespace: str, tmp_path: Path, run: Run):
    body = copy.deepcopy(EXAMPLE)
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(yaml.safe_dump(body))
    bad.write_text(yaml.safe_dump(body | {"spec": merged(body["spec"], {"interval": "11m"})}))
    accepted = run("lint", str(good), "--server", "-n", namespace)
    assert accepted.code == 0, accepted.out + accepted.err
    assert "1 checked here and by the API server" in accepted.out
    refused = run("lint", str(bad), "--server", "-n", namespace)
    assert refused.code == 1
    assert "the API server says: interval must be between 1s and 10m" in refused.out
    assert "No resources found" in cluster.kubectl.run("get", "sarkrollouts", "-n", namespace).stderr


def test_the_target_of_a_rollout_that_exists_cannot_be_changed_and_only_the_server_knows(
    cluster: LocalCluster, namespace: str, tmp_path: Path
):
    body = copy.deepcopy(EXAMPLE) | {"metadata": {"name": "gateway", "namespace": namespace}}
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))
    body["spec"] = merged(body["spec"], {"target": {"flagsConfigMap": "other"}})
    found = ask_server(Connection(cluster.api, namespace, "https://local"), body)
    assert [spelled(each.path) for each in found] == ["spec.target"]
    assert "target cannot be changed" in found[0].message
