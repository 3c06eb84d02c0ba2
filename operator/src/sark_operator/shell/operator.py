"""The operator process: everything built, kopf's watch feeding it, and nothing done without the Lease.

kopf watches and hands over events; it keeps no state in our objects and puts no finalizer on them. Each rollout has a task of
ours rather than a kopf daemon, because kopf stops a daemon the moment its object is deleted, which is when restoring the
baseline has to be done.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import kopf
import structlog
from kubernetes.aio.client import ApiClient, Configuration

from sark_api.names import GROUP, PLURAL, VERSION
from sark_operator.shell.actor import Actor
from sark_operator.shell.alarm import Alarm
from sark_operator.shell.alert_receiver import AlertReceiver, TokenError
from sark_operator.shell.allocation import keep_tidy
from sark_operator.shell.api import ClusterError, RolloutObject, UnavailableError
from sark_operator.shell.apprise_addresses import AddressFileError, AppriseFile
from sark_operator.shell.clock import Clock, SystemClock
from sark_operator.shell.cluster import KubernetesCluster
from sark_operator.shell.connection import load_configuration, open_client
from sark_operator.shell.credential_files import AccessFileError
from sark_operator.shell.crew import Crew
from sark_operator.shell.directory import Directory
from sark_operator.shell.evidence_store import ConfigMapEvidence
from sark_operator.shell.fence import Leads
from sark_operator.shell.filer import Filer
from sark_operator.shell.leadership import LeaseLostError
from sark_operator.shell.lease_thread import LeaseThread, lease_thread
from sark_operator.shell.metrics import PrometheusMetrics
from sark_operator.shell.notifier import Notifier
from sark_operator.shell.observer import Observer
from sark_operator.shell.pacer import Pacer
from sark_operator.shell.patience import Patience
from sark_operator.shell.pod_watch import PodWatch
from sark_operator.shell.probes import ProbeServer
from sark_operator.shell.prometheus import PrometheusDoor
from sark_operator.shell.prometheus_access import Servers
from sark_operator.shell.prometheus_file import prometheus_servers
from sark_operator.shell.pulse import Pulse
from sark_operator.shell.reconciler import Reconciler
from sark_operator.shell.recorder import Recorder
from sark_operator.shell.rights import Rights
from sark_operator.shell.settings import Settings
from sark_operator.shell.sidecar_access import SidecarAccess
from sark_operator.shell.sidecars import SidecarDirectory, open_session
from sark_operator.shell.telemetry import Telemetry
from sark_operator.shell.tripwires import Tripwires
from sark_operator.shell.watch_session import watch_session
from sark_operator.shell.worker import Worker

WATCH_SERVER_SECONDS: Final = 300
"""A watch is renewed this often, so that one that fell silent behind a load balancer is noticed."""
STOP_SECONDS: Final = 5.0
"""How long kopf may take to stop before it is cancelled."""

_log = structlog.get_logger("sark.operator")


class StartError(Exception):
    """The operator cannot begin; the message says what to mend."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises:
        StartError: the CRD is missing, or may be read in none of the namespaces.
        ConnectionSettingsError: the API server's address or credentials cannot be used.
        LeaseLostError: another operator leads, or the API server could not be reached in time; start anew.
    """
    clock, telemetry = SystemClock(), Telemetry()
    configuration = await load_configuration(settings)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_client(configuration))
        pulse = Pulse(clock, limit_seconds=2 * settings.lease_seconds)
        leadership = await stack.enter_async_context(lease_thread(settings, clock, telemetry, pulse))
        crew = await stack.enter_async_context(_crew(client, settings, clock, telemetry, leadership))
        beating = asyncio.create_task(pulse.keep(crew.hangs), name="pulse")
        stack.callback(beating.cancel)
        tidying = asyncio.create_task(keep_tidy(), name="memory")
        stack.callback(tidying.cancel)
        cluster = KubernetesCluster(client, telemetry, leadership, instance=settings.identity)
        rights = Rights(cluster, settings.namespaces, telemetry)
        state = _State(leadership, crew, rights, telemetry)
        probes = ProbeServer(settings.probe_address, telemetry.registry, state.sick, state.not_ready, remarks=state.remarks)
        await probes.start()
        stack.push_async_callback(probes.stop)
        await _check_rights(cluster, rights, stop)
        asking = asyncio.create_task(rights.keep(), name="rights")
        stack.callback(asking.cancel)
        state.standing_by = True
        _log.info("standing by", identity=settings.identity, lease=f"{settings.lease_namespace}/{settings.lease_name}")
        if not await _acquired(leadership, stop):
            return
        try:
            await _lead(settings, configuration, state, stop)
        finally:
            await crew.close()
            await leadership.release()


class _State:
    """Who leads, who works, and what the probes tell of it."""

    def __init__(self, leadership: LeaseThread, crew: Crew, rights: Rights, telemetry: Telemetry) -> None:
        self.leadership = leadership
        self.crew = crew
        self.rights = rights
        self.telemetry = telemetry
        self.standing_by = False
        self.watching = asyncio.Event()

    def sick(self) -> Sequence[str]:
        return self.crew.late()

    def not_ready(self) -> Sequence[str]:
        if self.leadership.held and not self.watching.is_set():
            return ["the watch has not begun"]
        return [] if self.standing_by else ["starting"]

    def remarks(self) -> Sequence[str]:
        """Return what people should know of a process that is ready."""
        foreign = self.leadership.foreign
        return [*self.rights.refusals(), *([foreign] if foreign else [])]


@asynccontextmanager
async def _crew(client: ApiClient, settings: Settings, clock: Clock, telemetry: Telemetry, leads: Leads) -> AsyncIterator[Crew]:
    """Build everything a tick needs, and close it at the end."""
    cluster = KubernetesCluster(client, telemetry, leads, instance=settings.identity)
    directory, recorder = Directory(), Recorder(cluster, clock, telemetry)
    filer = Filer(ConfigMapEvidence(client, cluster), telemetry)
    tripwires = Tripwires(clock)
    metrics = PrometheusMetrics(PrometheusDoor(telemetry), clock, _servers(settings), tripwires)
    notifier = _notifier(settings, leads, telemetry)
    pods = PodWatch(cluster, clock)
    async with open_session() as session:
        observer = Observer(
            cluster=cluster,
            pods=pods,
            sidecars=SidecarDirectory(session, _sidecars(settings)),
            metrics=metrics,
            directory=directory,
            clock=clock,
            version=version("sark-rollout"),
            filing=filer.filing,
        )
        reconciler = Reconciler(
            cluster=cluster,
            observer=observer,
            actor=Actor(cluster, recorder, filer),
            recorder=recorder,
            leads=leads,
            notifier=notifier,
            clock=clock,
            telemetry=telemetry,
        )

        pacer = Pacer()

        def make_worker(rollout: RolloutObject) -> Worker:
            place = (rollout.namespace, rollout.name, rollout.uid)
            return Worker(*place, reconciler=reconciler, pacer=pacer, clock=clock, telemetry=telemetry)

        crew = Crew(make_worker, directory, telemetry, tripwires)
        crew.on_lost, crew.on_closed = reconciler.forget, pods.close
        if notifier is not None:
            notifier.on_told = crew.wake

        alarm = Alarm(metrics.forget_alerts, crew.wake, asyncio.get_running_loop().call_later)
        receiver = await _receiver(settings, telemetry, directory, alarm.ring, leads)
        try:
            yield crew
        finally:
            if receiver is not None:
                await receiver.stop()
            await crew.close()
            if notifier is not None:
                await notifier.close()
            await metrics.close()


async def _receiver(
    settings: Settings, telemetry: Telemetry, directory: Directory, wake: Callable[[str], None], leads: Leads
) -> AlertReceiver | None:
    """Listen for Alertmanager where that is asked for."""
    if settings.alert_address is None or settings.alert_token_file is None:
        return None
    receiver = AlertReceiver(
        settings.alert_address,
        settings.alert_token_file,
        telemetry,
        concerned=directory.concerned,
        wake=wake,
        leads=lambda: leads.held,
    )
    try:
        await receiver.start()
    except (TokenError, OSError) as error:
        raise StartError(f"--alert-address: {error}") from error
    return receiver


def _servers(settings: Settings) -> Servers:
    try:
        return prometheus_servers(settings.prometheus_config)
    except AccessFileError as error:
        raise StartError(f"--prometheus-config: {error}") from error


def _sidecars(settings: Settings) -> SidecarAccess:
    try:
        return SidecarAccess.load(Path(settings.sidecar_config)) if settings.sidecar_config else SidecarAccess()
    except AccessFileError as error:
        raise StartError(f"--sidecar-config: {error}") from error


def _notifier(settings: Settings, leads: Leads, telemetry: Telemetry) -> Notifier | None:
    try:
        addresses = AppriseFile(Path(settings.notify_file)) if settings.notify_file else None
    except AddressFileError as error:
        raise StartError(f"--notify-file: {error}") from error
    return None if addresses is None else Notifier(addresses, leads, telemetry)


async def _check_rights(cluster: KubernetesCluster, rights: Rights, stop: asyncio.Event) -> None:
    """Ask what may be served: a missing CRD or right is said at the start, not found in a silent watch.

    One namespace that can be served is enough to begin: the others are told of, and come when their rights do.
    """
    await rights.begin(stop)
    problem = rights.missing
    if not problem and not stop.is_set():
        try:
            await cluster.check_discovery()
        except UnavailableError as error:
            _log.warning("not known whether the API server tells what it serves", problem=str(error))
        except ClusterError as error:
            problem = str(error)
    if problem:
        raise StartError(f"{problem}; install the CRD (kubectl apply -f crds/) and grant this operator its rights")


async def _acquired(leadership: LeaseThread, stop: asyncio.Event) -> bool:
    """Wait for the Lease or for the stop, whichever comes first; return whether we lead."""
    waiting = asyncio.create_task(leadership.acquire())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    leads = waiting.done() and not stop.is_set()
    if waiting.done():
        waiting.result()
    for task in (waiting, stopping):
        task.cancel()
    await asyncio.gather(waiting, stopping, return_exceptions=True)
    return leads


async def _lead(settings: Settings, configuration: Configuration, state: _State, stop: asyncio.Event) -> None:
    """Watch and work while the Lease is held; end everything before it could expire."""
    halt = asyncio.Event()
    signals = asyncio.create_task(_take_back_signals(state.watching, stop), name="signals")
    watch = asyncio.create_task(_watch(settings, configuration, state, halt), name="kopf")
    keep = asyncio.create_task(state.leadership.keep(), name="lease")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({watch, keep, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if keep in done:
            # The workers first, and at once: from now on every write of ours may meet a successor's.
            await state.crew.close()
            raise keep.exception() or LeaseLostError("the Lease is not kept any longer")
        if watch in done:
            watch.result()  # kopf ends without an error only when it caught a signal before we took them back
    finally:
        await state.crew.close()  # kopf would wait five seconds for tasks that began while it ran
        halt.set()
        for task in (keep, stopping, signals):
            task.cancel()
        await asyncio.wait({watch}, timeout=STOP_SECONDS)
        watch.cancel()
        await asyncio.gather(watch, keep, stopping, signals, return_exceptions=True)


def take_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`, however often they come."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)


async def _take_back_signals(watching: asyncio.Event, stop: asyncio.Event) -> None:
    """Undo kopf's taking of the signals: it would stop the watch first and the workers last, after five seconds."""
    await watching.wait()
    take_signals(stop)


async def _watch(settings: Settings, configuration: Configuration, state: _State, halt: asyncio.Event) -> None:
    """Run kopf as nothing but a watch."""
    await kopf.operator(
        registry=_handlers(configuration, state.crew, state.telemetry),
        settings=_kopf_settings(state.telemetry),
        standalone=True,
        clusterwide=settings.cluster_wide,
        namespaces=settings.namespaces,
        # Without one it asks the machine for the user's name, and user 65532 of an image has none.
        identity=cast("Any", settings.identity),
        stop_flag=halt,
        ready_flag=state.watching,
    )


def _handlers(configuration: Configuration, crew: Crew, telemetry: Telemetry) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return watch_session(configuration, lambda: telemetry.api_error("watch", "StreamError"))

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
        raw: dict[str, Any] = dict(body)
        if type == "DELETED":
            crew.lost(raw)
        else:
            crew.saw(raw)

    return registry


class _NoDifferences(kopf.DiffBaseStorage):
    """Spares kopf the two copies of every object that it compares for handlers of changes, of which we have none."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[kopf.FieldSpec] | None = None) -> kopf.BodyEssence:  # noqa: ARG002
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Keep nothing: it would be an annotation in the user's object."""


def _kopf_settings(telemetry: Telemetry) -> kopf.OperatorSettings:
    options = kopf.OperatorSettings()
    options.posting.enabled = False
    options.scanning.disabled = True
    options.networking.request_timeout = 30
    options.networking.error_backoffs = Patience(lambda: telemetry.api_error("watch", "KopfError"))
    options.watching.server_timeout = WATCH_SERVER_SECONDS
    options.watching.client_timeout = WATCH_SERVER_SECONDS + 10
    options.watching.connect_timeout = 10
    options.persistence.finalizer = f"{GROUP}/kopf"  # never used: no handler of ours makes kopf add one
    options.persistence.diffbase_storage = _NoDifferences()
    options.process.ultimate_exiting_timeout = None  # a SIGKILL from inside would keep the Lease from being given back
    options.peering.standalone = True
    options.queueing.exit_timeout = STOP_SECONDS
    return options
