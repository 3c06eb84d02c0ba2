"""People and tools that write the flags: noticed by what the API server records, corrected or held, by the user's wish."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes import client

from sark_api.flags import FlagDocument
from sark_api.names import FIELD_MANAGER, FLAGS_KEY
from sark_api.status import ConditionStatus, Phase
from sark_e2e.applied_rollout import proven_milliseconds, serves
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.fleet import Fleet
from sark_e2e.scenario import Scenario


def owners(scenario: Scenario, fleet: Fleet) -> set[str]:
    """Return the field managers that own the document, as the API server recorded them."""
    core = client.CoreV1Api(scenario.cluster.api)
    found: Any = core.read_namespaced_config_map(fleet.config_map, scenario.namespace)
    return {
        entry.manager for entry in found.metadata.managed_fields if f"f:{FLAGS_KEY}" in (entry.fields_v1.get("f:data") or {})
    }


def events(scenario: Scenario, reason: str) -> list[str]:
    """Return what was told under `reason`."""
    found: Any = client.EventsV1Api(scenario.cluster.api).list_namespaced_event(scenario.namespace)
    return [event.note for event in found.items if event.reason == reason]


def longer(document: FlagDocument) -> str:
    """Return the document as somebody would have it last: the same share, valid for a day, and well sealed."""
    until = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    return document.model_copy(update={"valid_until": until}).sealed().to_json()


def test_an_edit_by_hand_is_corrected_and_named(scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)
    assert owners(scenario, fleet) == {FIELD_MANAGER}

    # When somebody edits the document, and seals it well
    text = longer(scenario.flags(fleet))
    patch = json.dumps({"data": {FLAGS_KEY: text}})
    scenario.cluster.kubectl(
        "patch", "configmap", fleet.config_map, "-n", scenario.namespace, "--field-manager=zoe", "--type=merge", "-p", patch
    )

    # Then it is written anew, the writer is named in history and event, and the operator is the only owner again
    told = rollout.until(
        "a corrected edit", lambda seen: any(entry.reason == "FlagsCorrected" for entry in seen.status.history), seconds=30
    )
    entry = next(entry for entry in told.status.history if entry.reason == "FlagsCorrected")
    assert "written by zoe" in entry.message
    rollout.shows("FlagsOwned", ConditionStatus.TRUE, "FlagsOurs", seconds=30)
    assert owners(scenario, fleet) == {FIELD_MANAGER}
    document = scenario.flags(fleet)
    assert document.percentage == 50
    assert document.valid_until is not None
    assert document.valid_until < datetime.now(UTC) + timedelta(hours=1)
    eventually(lambda: events(scenario, "FlagsCorrected") == [entry.message], what="an event that names the writer", seconds=10)


def test_a_tool_that_owns_the_document_is_left_alone_until_a_breach(scenario: Scenario):
    # Given a rollout at 50% whose user wants edits held
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="6s"), "flagEdits": "Hold"})
    rollout.reaches(50, seconds=60)

    # When a tool takes the document over by server-side apply
    name = {"name": fleet.config_map, "namespace": scenario.namespace}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": {FLAGS_KEY: longer(scenario.flags(fleet))}}
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=argocd", "-f", "-")
    scenario.cluster.kubectl(*apply, stdin=json.dumps(body))
    theirs = scenario.flags(fleet)

    # Then the rollout stands still and says who it is, although everything else is proven
    held = rollout.shows("FlagsOwned", ConditionStatus.FALSE, "FlagsHeld", seconds=30)
    assert "argocd wrote flags.json" in held.message
    rollout.stays("a held rollout at 50%", lambda seen: seen.status.reason == "FlagsHeld", seconds=8)
    assert scenario.flags(fleet) == theirs
    assert len(events(scenario, "FlagsHeld")) == 1

    # And a breach takes the baseline back all the same, over the tool's ownership
    fleet.inject(error_percent=40)
    rollout.becomes(Phase.REVERTED, seconds=60)
    scenario.serves(fleet, 0, seconds=5)
    assert owners(scenario, fleet) == {FIELD_MANAGER}


@pytest.mark.long
def test_flags_that_are_deleted_freeze_the_step_and_never_keep_a_breach_from_going_back(scenario: Scenario):
    # Given a rollout that is being proven at 50%
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), "validFor": "5m"})
    rollout.bakes(50, milliseconds=1000, seconds=60)
    core = client.CoreV1Api(scenario.cluster.api)
    before = scenario.flags(fleet).revision

    # When somebody deletes its ConfigMap
    core.delete_namespaced_config_map(fleet.config_map, scenario.namespace)

    # Then the bake stands still, nobody makes it again, and sidecars serve what they were told last
    frozen = rollout.until("missing flags", lambda seen: seen.status.reason == "FlagsConfigMapMissing", seconds=30)
    proven = proven_milliseconds(frozen)
    rollout.stays("a frozen bake at 50%", lambda seen: serves(seen, 50) and proven_milliseconds(seen) == proven, seconds=4)
    scenario.serves(fleet, 50, seconds=0)
    assert fleet.config_map not in {each.metadata.name for each in core.list_namespaced_config_map(scenario.namespace).items}

    # And when an empty one is created, it is filled, with a revision no sidecar has seen, and the bake goes on
    core.create_namespaced_config_map(
        scenario.namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=fleet.config_map))
    )
    rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven, seconds=60)
    assert scenario.flags(fleet).percentage == 50
    assert scenario.flags(fleet).revision > before

    # And when it is deleted once more and the new arm goes bad, the way back makes it again
    core.delete_namespaced_config_map(fleet.config_map, scenario.namespace)
    fleet.inject(error_percent=40)
    rollout.becomes(Phase.REVERTED, seconds=60)
    scenario.serves(fleet, 0, seconds=10)
    assert scenario.flags(fleet).percentage == 0
    assert [entry.reason for entry in rollout.read().status.history] == ["Started", "CriterionBreached", "BaselineRestored"]
