"""Evidence on the real API server: whole after a SIGKILL at any boundary, in closed ConfigMaps, gone or kept at the end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_api.evidence import LABEL_EVIDENCE, segment_name, to_record
from sark_api.names import API_VERSION, GROUP, KIND, PLURAL, VERSION
from sark_api.status import Ledger, Phase, SarkRolloutStatus
from sark_cli.__main__ import main
from sark_cli.chain import Chain, from_cluster
from sark_cli.connection import Connection
from sark_cli.rollout import Rollout
from sark_e2e.cluster import LocalCluster
from sark_e2e.control_plane import ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.decided import decided
from sark_e2e.example import quick
from sark_e2e.faults.api_proxy import ApiProxy
from sark_e2e.operator import LEASE_SECONDS
from sark_e2e.scenario import Scenario
from sark_operator.core.ledger import settled
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.cluster import KubernetesCluster
from sark_operator.shell.connection import load_configuration, open_client
from sark_operator.shell.evidence_store import ConfigMapEvidence
from sark_operator.shell.filer import Filer
from sark_operator.shell.settings import parse_settings
from sark_operator.shell.telemetry import Telemetry

FLAGS = ("PATCH", r"/configmaps/gateway-flags")
STATUS = ("PUT", r"/sarkrollouts/gateway/status")
EVIDENCE = ("POST|PUT", r"/configmaps(\?|$|/gateway-evidence-)")
BOUNDARIES = {"flags": FLAGS, "status": STATUS, "evidence": EVIDENCE}


class Leading:
    """Stands for the Lease: this process holds it."""

    held = True
    term: Any = None


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    with Scenario(cluster, prefix="evidence") as story:
        yield story


def chain_of(scenario: Scenario, rollout: Rollout) -> Chain:
    return from_cluster(Connection(scenario.cluster.api, scenario.namespace, "the API server"), rollout)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_an_operator_that_is_killed_between_two_writes_leaves_every_record_once(scenario: Scenario, boundary: str):
    """It dies when the API server has done one of the three writes and before it knows, on the way up and on the way back."""
    # Given an operator that is killed after one of the three writes with which a rollout starts
    proxy: ApiProxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    deaths: list[int] = []

    def die() -> None:
        if len(deaths) == wanted_deaths and rollout.read().status.ledger.records >= records_before_death:
            operator.kill()
            deaths.append(len(deaths))

    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    wanted_deaths, records_before_death = 0, 1
    proxy.inject(*BOUNDARIES[boundary], after=die)
    eventually(lambda: len(deaths) == 1, what="the operator's first death", seconds=60)

    # When the next one has come to 50%, then there is one record of it
    operator.start()
    rollout.reaches(50, seconds=60 + 3 * LEASE_SECONDS)
    begun = rollout.until("a settled ledger", lambda seen: not seen.status.ledger.unfiled, seconds=30)
    chain = chain_of(scenario, begun)
    assert chain.broken() is None
    assert [record.reason for record in chain.records()] == ["Started"]

    # And when that one is killed after the same write on the way back
    records_before_death = 1 if boundary == "flags" else 2
    wanted_deaths = 1
    rollout.edit({"mode": "Rollback"})
    eventually(lambda: len(deaths) == 2, what="the operator's second death", seconds=60)
    operator.start()
    rollout.until("a restored baseline", lambda seen: seen.status.phase is Phase.REVERTED, seconds=60 + 3 * LEASE_SECONDS)
    done = rollout.until("a settled ledger", lambda seen: not seen.status.ledger.unfiled, seconds=30)

    # Then every decision has one record, the chain holds, and the share is 0%
    chain = chain_of(scenario, done)
    assert chain.broken() is None
    reasons = [record.reason for record in chain.records()]
    # A revert whose status was never written is known by the flags alone, and the edit that led to it by itself.
    back = ["SpecEdited", "RevertAdopted"] if boundary == "flags" else ["RolledBackByUser"]
    assert reasons == ["Started", *back, "BaselineRestored"]
    assert [entry.reason for entry in done.status.history] == reasons
    assert done.status.ledger.records == len(chain.texts) == len(reasons)
    assert scenario.flags(fleet).percentage == 0

    # And the operator has logged the very texts
    lines = [json.loads(line) for line in operator.log.read_text().splitlines() if line.startswith("{")]
    logged = {line["number"]: line["record"] for line in lines if line["event"] == "evidence"}
    assert logged == dict(chain.texts)


def test_a_loosened_limit_is_in_the_evidence_with_what_it_was_and_what_wrote_it(scenario: Scenario):
    # Given a rollout that proves its first step
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.reaches(50, seconds=60)

    # When somebody loosens a limit, in another second than it was applied in: the API server tells writers apart by whole ones
    time.sleep(1)
    rollout.edit({"criteria": {"errorRate": {"limitBasisPoints": 900}}})

    # Then one record says so, and the chain holds
    edited = rollout.until("its record", lambda seen: seen.status.history[-1].reason == "SpecEdited", seconds=30)
    *_, record = chain_of(scenario, edited).records()
    assert (record.reason, record.actor, record.from_percent, record.to_percent) == ("SpecEdited", "user by spec", 50, 50)
    assert "(criteria.errorRate.limitBasisPoints: 100 -> 900; via OpenAPI-Generator)" in record.message
    assert edited.status.ledger.records == 2


def test_an_operator_without_the_rights_holds_and_says_so(scenario: Scenario):
    # Given an API server that lets nobody make the ConfigMap of the evidence
    proxy: ApiProxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    fault = proxy.inject("POST", r"/configmaps(\?|$)", status=403, message="configmaps is forbidden")

    # When a rollout starts, then it stays at its first step and says why
    rollout = scenario.apply("gateway", fleet, quick(50, 100))
    held = rollout.until("a held step", lambda seen: seen.status.reason == "EvidenceNotFiled", seconds=90)
    assert "forbidden" in held.status.message
    assert held.status.step is not None
    assert held.status.step.percent == 50

    # And when the right is there, it goes on
    proxy.release(fault)
    done = rollout.reaches(100, seconds=90)
    assert chain_of(scenario, done).broken() is None


NAME = "gateway"


@pytest.fixture
def made(api: client.ApiClient, crd: ControlPlane, namespace: str) -> RolloutObject:
    """A rollout no operator looks at."""
    body = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": NAME},
        "spec": {
            "target": {"matchLabels": {"app": NAME}, "flagsConfigMap": "gateway-flags"},
            "prometheus": {"address": "http://127.0.0.1:9"},
            "schedule": "Seed",
        },
    }
    created: Any = client.CustomObjectsApi(api).create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, body)
    return RolloutObject(created)


@pytest_asyncio.fixture
async def door(crd: ControlPlane) -> AsyncIterator[tuple[KubernetesCluster, ConfigMapEvidence]]:
    settings = parse_settings([f"--kubeconfig={crd.kubeconfig}", "--all-namespaces"], {})
    async with open_client(await load_configuration(settings)) as opened:
        door = KubernetesCluster(opened, Telemetry(), Leading(), instance="operator-1")
        yield door, ConfigMapEvidence(opened, door)


def decisions(rollout: RolloutObject, ledger: Ledger, count: int) -> Ledger:
    """Return the ledger with `count` more decisions that wait."""
    return decided(ledger, count, rollout=rollout.key, uid=rollout.uid)


@pytest.mark.asyncio
async def test_two_operators_fill_and_close_config_maps_without_a_gap_or_a_double(
    door: tuple[KubernetesCluster, ConfigMapEvidence], made: RolloutObject, namespace: str, api: client.ApiClient
):
    # Given two processes that both think they must file the same thirty decisions, into ConfigMaps for about four
    _, store = door
    ledger = decisions(made, Ledger(), 30)
    room = 4 * len(ledger.unfiled[0].encode())
    filers = [Filer(store, Telemetry(), segment_bytes=room) for _ in range(2)]

    # When both do it at the same time, trying again until both are done
    for _ in range(20):
        await asyncio.gather(*(filer.file(made, ledger) for filer in filers))
        if all(filer.filing(made.uid).last == ledger.head for filer in filers):  # type: ignore[union-attr]
            break
    ledger = settled(ledger, filers[0].filing(made.uid))
    ledger = settled(ledger, filers[1].filing(made.uid))
    assert ledger.unfiled == []

    # Then the chain holds, and all ConfigMaps but the last are closed and belong to the rollout
    rollout = Rollout.from_object({**made.raw, "status": SarkRolloutStatus(ledger=ledger).to_wire()})
    chain = from_cluster(Connection(api, namespace, "the API server"), rollout)
    assert chain.broken() is None
    core = client.CoreV1Api(api)
    kept = core.list_namespaced_config_map(namespace, label_selector=f"{LABEL_EVIDENCE}={made.uid}").items
    assert len(kept) > 5
    assert sum(len(each.data) for each in kept) == 30
    assert [bool(each.immutable) for each in kept] == [True] * (len(kept) - 1) + [False]
    assert {owner.uid for each in kept for owner in each.metadata.owner_references} == {made.uid}
    assert max(sum(len(text.encode()) for text in each.data.values()) for each in kept) <= room

    # And what is closed cannot be changed by anybody
    with pytest.raises(ApiException) as refused:
        core.patch_namespaced_config_map(segment_name(NAME, made.uid, 1), namespace, {"data": {"000000001.json": "{}"}})
    assert refused.value.status == 422


@pytest.mark.asyncio
async def test_the_command_reads_checks_and_exports_what_deletion_takes_away(  # noqa: PLR0917 - fixtures
    door: tuple[KubernetesCluster, ConfigMapEvidence],
    made: RolloutObject,
    namespace: str,
    api: client.ApiClient,
    cluster: LocalCluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    # Given a rollout with thirty decisions, twenty-nine of them filed
    cluster_door, store = door
    filer = Filer(store, Telemetry(), segment_bytes=4096)
    ledger = decisions(made, Ledger(), 29)
    await filer.file(made, ledger)
    ledger = decisions(made, settled(ledger, filer.filing(made.uid)), 1)
    await cluster_door.write_status(made, SarkRolloutStatus(ledger=ledger).to_wire())

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()  # what was logged before
        code = main([*arguments, f"--kubeconfig={cluster.kubeconfig}", "-n", namespace])
        said = capsys.readouterr()
        return code, said.out, said.err

    # Then the command lists them all, explains one beyond the last twenty, and finds that they hold
    code, out, _ = run("history", NAME, "--all")
    assert (code, len(out.splitlines())) == (0, 31)
    code, out, _ = run("explain", NAME, "--decision", "2")
    assert code == 0
    assert out.startswith("Decision 2: PausedByUser, 5%, 2026-01-01 12:00:00Z, by operator\n")
    code, out, _ = run("history", NAME, "--verify")
    assert code == 0
    assert "holds: 30 records, 1 to 30" in out
    assert "1 of them wait in the status" in out
    code, exported, _ = run("history", NAME, "--all", "-o", "json")
    (tmp_path / "evidence.json").write_text(exported, encoding="utf-8")

    # And it says where they break, when a person has changed one in the ConfigMap that is still open
    core = client.CoreV1Api(api)
    last = segment_name(NAME, made.uid, ledger.segments[-1].index)
    key, text = max(core.read_namespaced_config_map(last, namespace).data.items())
    core.patch_namespaced_config_map(last, namespace, {"data": {key: text.replace("operator", "somebody")}})
    code, _, err = run("history", NAME, "--verify")
    assert code == 1
    assert "is broken at record 30: record 30 does not follow record 29: one of the two was changed" in err
    core.patch_namespaced_config_map(last, namespace, {"data": {key: text}})

    # And when the rollout is deleted but what it owns is kept, the ConfigMaps outlive it and can still be checked
    cluster.kubectl("delete", f"{PLURAL}.{GROUP}", NAME, "-n", namespace, "--cascade=orphan")
    selector = f"{LABEL_EVIDENCE}={made.uid}"

    def orphaned() -> bool:
        return not any(
            each.metadata.owner_references for each in core.list_namespaced_config_map(namespace, label_selector=selector).items
        )

    eventually(orphaned, what="ConfigMaps without an owner", seconds=30)
    kept = cluster.kubectl("get", "configmaps", "-n", namespace, "-l", selector, "-o", "json")
    (tmp_path / "config-maps.json").write_text(kept, encoding="utf-8")
    assert to_record(text).number == 29
    for name, count in (("evidence.json", 30), ("config-maps.json", 29)):
        code = main(["history", "--verify", "--file", str(tmp_path / name)])
        assert code == 0
        assert f"holds: {count} records" in capsys.readouterr().out


@pytest.mark.timeout(300)
@pytest.mark.asyncio
async def test_the_last_record_of_a_rollout_deleted_with_cascade_orphan_is_kept_too(
    door: tuple[KubernetesCluster, ConfigMapEvidence],
    made: RolloutObject,
    namespace: str,
    api: client.ApiClient,
    cluster: LocalCluster,
):
    # Given a rollout with one decision, guarded by the operator, and deleted so that what it owns is kept
    cluster_door, store = door
    filer = Filer(store, Telemetry(), segment_bytes=2 * len(decisions(made, Ledger(), 1).unfiled[0]))
    ledger = decisions(made, Ledger(), 1)
    await filer.file(made, ledger)
    await cluster_door.add_finalizer(made)
    cluster.kubectl("delete", f"{PLURAL}.{GROUP}", NAME, "-n", namespace, "--cascade=orphan", "--wait=false")
    core = client.CoreV1Api(api)

    def owners() -> list[Any]:
        found = core.list_namespaced_config_map(namespace, label_selector=f"{LABEL_EVIDENCE}={made.uid}").items
        assert found
        return [owner for each in found for owner in each.metadata.owner_references or ()]

    # The garbage collector looks for new kinds, as ours is, every half minute.
    eventually(lambda: not owners(), what="ConfigMaps without an owner", seconds=150)

    # When the records of its end are filed, in the same ConfigMap and in another
    ending = await cluster_door.read_rollout(namespace, NAME)
    ledger = decisions(made, settled(ledger, filer.filing(made.uid)), 3)
    await filer.file(ending, ledger)

    # Then they are not owned by what is about to go
    filing = filer.filing(made.uid)
    assert filing is not None
    assert (filing.last, filing.problem) == (ledger.head, "")
    assert len(filing.segments) > 1
    assert owners() == []

    # And the rollout goes, once the garbage collector has taken its own finalizer off: two cannot do so at the same time
    objects = client.CustomObjectsApi(api)

    def finalizers() -> list[str]:
        found = objects.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, NAME)
        return list(found["metadata"]["finalizers"])

    eventually(lambda: "orphan" not in finalizers(), what="the garbage collector's finalizer off", seconds=60)
    await cluster_door.remove_finalizer(await cluster_door.read_rollout(namespace, NAME))


@pytest.mark.timeout(300)
@pytest.mark.asyncio
async def test_deleting_a_rollout_takes_its_evidence_with_it(
    door: tuple[KubernetesCluster, ConfigMapEvidence], made: RolloutObject, namespace: str, api: client.ApiClient
):
    _, store = door
    await Filer(store, Telemetry()).file(made, decisions(made, Ledger(), 1))
    core = client.CoreV1Api(api)
    selector = f"{LABEL_EVIDENCE}={made.uid}"
    assert core.list_namespaced_config_map(namespace, label_selector=selector).items
    client.CustomObjectsApi(api).delete_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, NAME)
    eventually(
        lambda: not core.list_namespaced_config_map(namespace, label_selector=selector).items,
        what="no evidence left",
        seconds=150,
    )
