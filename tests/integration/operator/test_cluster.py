"""The operator's door to Kubernetes against a real API server: every write is conditional, and every refusal has its name."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from kubernetes import client

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import API_VERSION, FINALIZER, FLAGD_KEY, FLAGS_KEY, GROUP, KIND, PLURAL, VERSION
from sark_api.status import Leader, Phase, SarkRolloutStatus
from sark_e2e.control_plane import ControlPlane
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.pod import PodAddress, create_pod, set_status
from sark_operator.core.decision import WriteFlags
from sark_operator.shell.api import (
    EventNote,
    ForeignOwnerError,
    NotLeadingError,
    ObjectMissingError,
    RefusedError,
    RolloutObject,
    StaleVersionError,
    UnavailableError,
)
from sark_operator.shell.cluster import KubernetesCluster
from sark_operator.shell.connection import load_configuration, open_client
from sark_operator.shell.settings import parse_settings
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

NAME = "gateway"
FLAGS = "gateway-flags"


class Leading:
    """Stands for the leadership of a process that leads, or led."""

    def __init__(self, *, held: bool = True) -> None:
        self.held = held
        self.term = Leader(identity="operator-1", lease="lease-1", term=1)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest_asyncio.fixture
async def door(crd: ControlPlane, telemetry: Telemetry) -> AsyncIterator[KubernetesCluster]:
    settings = parse_settings([f"--kubeconfig={crd.kubeconfig}", "--all-namespaces"], {})
    async with open_client(await load_configuration(settings)) as opened:
        yield KubernetesCluster(opened, telemetry, Leading(), instance="operator-1")


@pytest.fixture
def config_map(api: client.ApiClient, namespace: str) -> client.CoreV1Api:
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=FLAGS)))
    return core


@pytest.fixture
def rollouts(api: client.ApiClient, namespace: str) -> client.CustomObjectsApi:
    """The API of rollouts; one named NAME exists."""
    objects = client.CustomObjectsApi(api)
    body = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": NAME},
        "spec": {
            "target": {"matchLabels": {"app": NAME}, "flagsConfigMap": FLAGS},
            "prometheus": {"address": "http://127.0.0.1:9"},
            "schedule": "Seed",
        },
    }
    objects.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, body)
    return objects


def document(revision: int, percentage: int) -> FlagDocument:
    flags = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percentage)
    return FlagDocument(feature_flags=flags, salt="uid-1", rollout="shop/gateway", revision=revision).sealed()


def write(version: str, *, revision: int = 1, percentage: int = 5, force: bool = False) -> WriteFlags:
    return WriteFlags(document=document(revision, percentage), resource_version=version, force=force)


async def test_flags_are_written_in_both_spellings_and_read_back(door: KubernetesCluster, namespace: str, config_map: Any):
    # Given an empty ConfigMap
    before = await door.read_flags(namespace, FLAGS)
    assert (before.document, before.error) == (None, "")

    # When a document is written on the version that was read
    version = await door.write_flags(namespace, FLAGS, write(before.resource_version))

    # Then it can be read back whole, and stands there for OpenFeature too
    after = await door.read_flags(namespace, FLAGS)
    assert after.resource_version == version != before.resource_version
    assert after.document == document(1, 5)
    assert set(config_map.read_namespaced_config_map(FLAGS, namespace).data) == {FLAGS_KEY, FLAGD_KEY}


async def test_whoever_wrote_the_keys_last_is_named_be_they_empty_now(door: KubernetesCluster, namespace: str, config_map: Any):
    # Given a document of ours, which nobody else owns
    await door.write_flags(namespace, FLAGS, write((await door.read_flags(namespace, FLAGS)).resource_version))
    assert (await door.read_flags(namespace, FLAGS)).owners == ()

    # When somebody empties the keys, and somebody else puts a label and a key of their own on the ConfigMap
    empty = {"data": {FLAGS_KEY: "", FLAGD_KEY: ""}}
    config_map.patch_namespaced_config_map(FLAGS, namespace, empty, field_manager="kubectl-edit")
    more = {"metadata": {"labels": {"team": "a"}}, "data": {"notes": "ours"}}
    config_map.patch_namespaced_config_map(FLAGS, namespace, more, field_manager="helm")

    # Then the first is named and the second is not, and the keys can be taken over by force alone
    seen = await door.read_flags(namespace, FLAGS)
    assert (seen.document, seen.owners) == (None, ("kubectl-edit",))
    with pytest.raises(ForeignOwnerError):
        await door.write_flags(namespace, FLAGS, write(seen.resource_version, revision=2))
    await door.write_flags(namespace, FLAGS, write(seen.resource_version, revision=2, force=True))
    assert (await door.read_flags(namespace, FLAGS)).owners == ()


@pytest.mark.parametrize("force", [False, True])
async def test_a_write_on_a_stale_version_changes_nothing_even_with_force(
    door: KubernetesCluster, namespace: str, config_map: Any, force: bool
):
    # Given two operators that read the same version, and one that has written since
    seen = (await door.read_flags(namespace, FLAGS)).resource_version
    await door.write_flags(namespace, FLAGS, write(seen, revision=2, percentage=0))

    # When the other writes on what it read, then it is refused
    with pytest.raises(StaleVersionError):
        await door.write_flags(namespace, FLAGS, write(seen, revision=1, percentage=50, force=force))
    found = (await door.read_flags(namespace, FLAGS)).document
    assert found is not None
    assert (found.revision, found.percentage) == (2, 0)


async def test_another_owner_is_respected_without_force_and_overruled_with_it(
    door: KubernetesCluster, namespace: str, config_map: Any
):
    # Given a person who has taken over the document
    await door.write_flags(namespace, FLAGS, write((await door.read_flags(namespace, FLAGS)).resource_version))
    config_map.patch_namespaced_config_map(
        FLAGS, namespace, {"data": {FLAGS_KEY: document(2, 0).to_json()}}, field_manager="kubectl-edit"
    )
    seen = (await door.read_flags(namespace, FLAGS)).resource_version

    # When the share is to go up, then their ownership stands, and they are named
    with pytest.raises(ForeignOwnerError, match="kubectl-edit"):
        await door.write_flags(namespace, FLAGS, write(seen, revision=3, percentage=50))

    # And when it is to go down, safety comes first
    await door.write_flags(namespace, FLAGS, write(seen, revision=3, percentage=0, force=True))
    found = (await door.read_flags(namespace, FLAGS)).document
    assert found is not None
    assert found.revision == 3


async def test_a_missing_config_map_is_said_and_created_only_when_told(door: KubernetesCluster, namespace: str):
    with pytest.raises(ObjectMissingError, match=FLAGS):
        await door.read_flags(namespace, FLAGS)
    with pytest.raises(StaleVersionError):  # it has changed since it was read; the rollout is still there
        await door.write_flags(namespace, FLAGS, write("12345"))
    with pytest.raises(ObjectMissingError):
        await door.read_flags(namespace, FLAGS)

    # When the write says that there is none, then it is created, and the next write finds no conflict with ourselves
    version = await door.write_flags(namespace, FLAGS, write("", percentage=0))
    await door.write_flags(namespace, FLAGS, write(version, revision=2, percentage=5))

    # And a second creation is refused
    with pytest.raises(StaleVersionError):
        await door.write_flags(namespace, FLAGS, write("", revision=9, percentage=50, force=True))


async def test_a_config_map_deleted_since_it_was_read_is_not_made_again(
    door: KubernetesCluster, namespace: str, config_map: Any
):
    seen = (await door.read_flags(namespace, FLAGS)).resource_version
    config_map.delete_namespaced_config_map(FLAGS, namespace)
    with pytest.raises(StaleVersionError):
        await door.write_flags(namespace, FLAGS, write(seen, percentage=50, force=True))
    with pytest.raises(ObjectMissingError):
        await door.read_flags(namespace, FLAGS)


async def test_a_mangled_document_is_no_document_and_says_why(door: KubernetesCluster, namespace: str, config_map: Any):
    text = document(7, 5).to_json().replace('"rollout_percentage": 5', '"rollout_percentage": 100')
    config_map.patch_namespaced_config_map(FLAGS, namespace, {"data": {FLAGS_KEY: text}})
    found = await door.read_flags(namespace, FLAGS)
    assert found.document is None
    assert f"{namespace}/{FLAGS}" in found.error
    assert "sha256" in found.error


async def test_a_status_is_stored_only_on_the_object_it_was_computed_from(
    door: KubernetesCluster, namespace: str, rollouts: client.CustomObjectsApi
):
    # Given a rollout whose spec was edited after it was read
    seen = await door.read_rollout(namespace, NAME)
    rollouts.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, NAME, {"spec": {"mode": "Paused"}})

    # When a status computed from the older one is written, then it is refused
    status = SarkRolloutStatus(phase=Phase.PROGRESSING, observed_generation=1)
    with pytest.raises(StaleVersionError):
        await door.write_status(seen, status.to_wire())

    # And on the newer one it is stored whole, with nothing pruned, and the spec untouched
    newer = await door.read_rollout(namespace, NAME)
    stored = await door.write_status(newer, status.to_wire())
    assert stored.status() == status
    assert stored.spec().mode == "Paused"
    assert stored.identity().generation == newer.identity().generation


@pytest.mark.usefixtures("rollouts")
async def test_a_status_is_stored_without_what_an_older_crd_does_not_know(door: KubernetesCluster, namespace: str):
    # Given a status with a field that the CRD in the cluster lacks, as while an operator is newer than it
    rollout = await door.read_rollout(namespace, NAME)
    status = SarkRolloutStatus(phase=Phase.PROGRESSING, observed_generation=1)

    # When it is written, then the rest of it is stored
    stored = await door.write_status(rollout, {**status.to_wire(), "fromALaterVersion": {"until": "now"}})
    assert stored.status() == status
    assert (await door.read_rollout(namespace, NAME)).status() == status


async def test_the_finalizer_comes_and_goes_beside_others(
    door: KubernetesCluster, namespace: str, rollouts: client.CustomObjectsApi
):
    # Given a rollout with somebody else's finalizer
    rollouts.patch_namespaced_custom_object(
        GROUP, VERSION, namespace, PLURAL, NAME, {"metadata": {"finalizers": ["example.org/theirs"]}}
    )
    bare = await door.read_rollout(namespace, NAME)
    assert not bare.guarded

    # When ours is added, then both are there, and the object that was read before is stale
    guarded = await door.add_finalizer(bare)
    assert guarded.finalizers == ("example.org/theirs", FINALIZER)
    with pytest.raises(StaleVersionError):
        await door.add_finalizer(bare)

    # And when it is removed, theirs stays
    await door.remove_finalizer(guarded)
    assert (await door.read_rollout(namespace, NAME)).finalizers == ("example.org/theirs",)
    rollouts.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, NAME, {"metadata": {"finalizers": None}})


async def test_only_ready_pods_that_stay_are_asked(
    door: KubernetesCluster, api: client.ApiClient, namespace: str, network: LoopbackNetwork
):
    # Given a ready pod, one that is not ready, one of another application, and a ready one that is going away
    core = client.CoreV1Api(api)
    for name, app, ready in (("a", "shop", True), ("b", "shop", False), ("c", "other", True), ("d", "shop", True)):
        pod = PodAddress(namespace, name, network.pod())
        create_pod(api, pod, labels={"app": app, "tier": "web"})
        set_status(api, pod, ready=ready, restarts=0)
    core.patch_namespaced_pod("d", namespace, {"metadata": {"finalizers": ["example.org/hold"]}})
    core.delete_namespaced_pod("d", namespace)

    # When the ready ones are listed, then only the first is
    found = await door.ready_pods(namespace, {"app": "shop", "tier": "web"})
    core.patch_namespaced_pod("d", namespace, {"metadata": {"finalizers": None}})
    assert [pod.name for pod in found] == ["a"]
    assert re.fullmatch(r"127\.\d+\.\d+\.\d+", found[0].address)


async def test_an_event_passes_the_strict_rules_and_is_cut_to_size(
    door: KubernetesCluster, api: client.ApiClient, namespace: str, rollouts: client.CustomObjectsApi
):
    rollout = await door.read_rollout(namespace, NAME)
    at = datetime(2026, 1, 1, tzinfo=UTC)  # whole seconds: the server insists on microseconds all the same
    note = EventNote(reason="CriterionBreached", action="LowerShare", note="é" * 2000, warning=True)
    await door.create_event(rollout, note, at)
    found: Any = client.EventsV1Api(api).list_namespaced_event(namespace).items
    mine = [event for event in found if event.reason == "CriterionBreached"]
    assert len(mine) == 1
    assert (mine[0].type, mine[0].action, mine[0].regarding.uid) == ("Warning", "LowerShare", rollout.uid)
    assert 1020 < len(mine[0].note.encode()) <= 1024


async def test_a_status_the_schema_refuses_is_no_conflict(
    door: KubernetesCluster, namespace: str, rollouts: client.CustomObjectsApi, telemetry: Telemetry
):
    rollout = await door.read_rollout(namespace, NAME)
    with pytest.raises(RefusedError, match="phase"):
        await door.write_status(rollout, {"phase": "Dancing"})
    assert (
        telemetry.registry.get_sample_value("sark_operator_api_errors_total", {"verb": "write", "error": "RefusedError"}) == 1
    )


async def test_a_server_that_is_not_there_is_said_in_one_sentence(telemetry: Telemetry, crd: ControlPlane):
    settings = parse_settings([f"--kubeconfig={crd.kubeconfig}", "--all-namespaces"], {})
    configuration = await load_configuration(settings)
    configuration.host = "https://127.0.0.1:9"
    async with open_client(configuration) as opened:
        with pytest.raises(UnavailableError, match="cannot be reached"):
            await KubernetesCluster(opened, telemetry, Leading(), instance="operator-1").read_rollout("shop", NAME)


async def test_a_rollout_without_status_has_the_empty_one(
    door: KubernetesCluster, namespace: str, rollouts: client.CustomObjectsApi
):
    rollout: RolloutObject = await door.read_rollout(namespace, NAME)
    assert rollout.status() == SarkRolloutStatus()
    assert rollout.identity().key == f"{namespace}/{NAME}"


async def test_a_process_that_does_not_lead_reads_and_changes_nothing(
    crd: ControlPlane, namespace: str, config_map: Any, rollouts: client.CustomObjectsApi, telemetry: Telemetry
):
    # Given a process that has lost the Lease
    settings = parse_settings([f"--kubeconfig={crd.kubeconfig}", "--all-namespaces"], {})
    async with open_client(await load_configuration(settings)) as opened:
        door = KubernetesCluster(opened, telemetry, Leading(held=False), instance="operator-1")

        # When it reads, then it sees; when it writes, then nothing is sent
        rollout = await door.read_rollout(namespace, NAME)
        seen = await door.read_flags(namespace, FLAGS)
        note = EventNote("Started", "Reconcile", "nobody hears it", warning=False)
        for change in (
            door.write_flags(namespace, FLAGS, write(seen.resource_version, force=True)),
            door.write_status(rollout, {"phase": "Reverting"}),
            door.add_finalizer(rollout),
            door.create_event(rollout, note, datetime.now(UTC)),
        ):
            with pytest.raises(NotLeadingError, match="does not hold the Lease"):
                await change
        assert (await door.read_flags(namespace, FLAGS)) == seen
        assert (await door.read_rollout(namespace, NAME)).resource_version == rollout.resource_version
