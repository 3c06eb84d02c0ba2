"""The sidecar's life: start in order, serve, and leave without losing a request.

The same life is lived inside an application, by a thread that serves no port for questions: see `in_process`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from math import isinf
from typing import Any

import structlog
from sark_engine import BaselineJob, Engine, Server

from .admin.server import AdminServer
from .admin.status import SIDECAR_VERSION, Parts, flags_state
from .baseline.arm import Asked, BaselineArm
from .baseline.decisions import NoDecisions, RedisDecisions
from .baseline.dispatcher import Dispatcher
from .baseline.keeping import Keeping
from .breaker import BreakerState
from .credentials import CredentialError
from .decision_logs.assembly import open_decision_logs
from .decision_logs.follower import DecisionLogs
from .faults import FaultHook
from .flags.file import FlagFile
from .flags.following import FlagFollower
from .flags.state import Origin, Share
from .guard import Guard
from .opa.client import OpaServer
from .opa.guarded import GuardedOpa
from .opa.view import OpaView
from .policies.embedded import EmbeddedPolicies, first_policies
from .policies.source import policy_source
from .policies.sources import PolicySourceError
from .process_age import process_age
from .rest.answering import RestAnswering
from .rest.desk import Desk
from .rest.upstream import OpaUpstream
from .securing import secure_admin_port, secure_data_port, tokens_in_clear
from .settings import Assignment, Authentication, CacheBackend, FlagMode, Settings, StaticFlags
from .settings.fields import is_loopback
from .shadow.assembly import open_shadow
from .telemetry import Telemetry
from .writing.assembly import writer_of, written_data
from .writing.gate import EngineGate

log = structlog.get_logger()
_EVALUATION_THREADS = 2
_FIRST_LOOK_SECONDS = 2.0
_MEMORY_BEYOND_TTL_SECONDS = 120.0
"""Sidecars that share a Redis do not look at OPA at the same moment."""


class StartError(Exception):
    """The sidecar cannot start; the message is one sentence for whoever starts it."""


class TaskEnded(Exception):  # noqa: N818 - what happened, not a kind of error
    """A background task ended that should run for ever."""


class Service:
    """One sidecar: a process of its own, or a part of an application."""

    def __init__(
        self, settings: Settings, *, in_process: bool = False, on_ready: Callable[[Server], None] = lambda _: None
    ) -> None:
        """Build nothing yet.

        With `in_process` there is no data port: questions are put to the server that `on_ready` is handed.
        """
        self._settings = settings
        self._in_process = in_process
        self._on_ready = on_ready
        self._parts = Parts(settings, in_process=in_process)
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: Server | None = None
        self._telemetry: Telemetry | None = None
        self._decisions: DecisionLogs | None = None
        self._bundles_not_kept = 0
        """Before there was a telemetry to count them."""

    async def run(self) -> None:
        """Serve until `stop` is called.

        Raises:
            StartError: a part could not be started.
            TaskEnded: a background task broke; requests under way were finished first.
        """
        async with AsyncExitStack() as stack:
            try:
                await self._start(stack)
                await self._stopping.wait()
            finally:
                # Requests under way finish while everything still works; then nothing uses what the stack closes.
                await self._drain()
                await self._end_tasks()
        if self._failure is not None:
            raise TaskEnded(f"a background task ended: {self._failure!r}") from self._failure

    @property
    def waiting(self) -> str:
        """Why it is not ready; empty when it is."""
        return self._parts.waiting

    def stop(self) -> None:
        """Have `run` end in order. To be called on its event loop."""
        self._stopping.set()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings, parts = self._settings, self._parts
        if self._in_process and settings.writes.documents:
            raise StartError("writes.documents needs a sidecar: inside an application there is no port to write at")
        admin = AdminServer(settings.admin, parts)
        try:
            await secure_admin_port(parts.credentials, settings.admin, admin)
            await stack.enter_async_context(admin)
        except CredentialError as error:
            raise StartError(str(error)) from error
        except OSError as error:
            raise StartError(f"admin.host {settings.admin.host}, admin.port {settings.admin.port}: {error.strerror}") from error
        parts.waiting = "the policies are being compiled"
        policies = await self._compile()
        if policies is None:
            return
        parts.policies = policies
        engine = self._engine(policies)
        server = self._server(engine)
        try:
            await secure_data_port(parts.credentials, settings.data, server)
        except CredentialError as error:
            raise StartError(str(error)) from error
        parts.metrics = server.metrics
        self._telemetry = telemetry = Telemetry(server)
        self._start_decision_logs(server, policies)
        self._spawn("credentials", parts.credentials.follow(telemetry))
        for _ in range(self._bundles_not_kept):
            telemetry.bundle_not_kept()
        assignment = settings.flags.assignment
        gate = EngineGate(lambda share: _set_flags(server, share, assignment), telemetry)
        await self._start_baseline(stack, server, engine, policies, telemetry, gate=gate)
        self._start_faults(server, telemetry)
        self._spawn("policies", policies.follow(engine, telemetry))
        parts.waiting = "the flags are not known yet"
        await self._start_flags(stack, gate, telemetry)
        parts.data_port = self._listen(server)
        self._listening = server
        parts.waiting = ""
        telemetry.ready(ready=True)
        if not parts.in_process:
            # An application's own age says nothing about the start of what it embeds.
            parts.start_seconds = process_age()
            telemetry.started(parts.start_seconds)
        self._warn_of_open_doors()
        log.info(
            "ready",
            start_seconds=parts.start_seconds,
            data_port=parts.data_port,
            admin_port=admin.port,
            policy_revision=policies.policies.revision,
            flags_state=flags_state(parts),
        )
        self._on_ready(server)

    async def _compile(self) -> EmbeddedPolicies | None:
        """Return the policies to begin with; None when the sidecar is told to stop before there are any."""
        settings = self._settings.policies
        source = policy_source(settings, self._bundle_not_kept)
        # A bundle server may be away for a while, and a start that ends only makes the pod start again; a file is there or not.
        waits = settings.bundle.url is not None
        first = asyncio.ensure_future(first_policies(source, waits=waits, on_problem=self._await_policies))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({first, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                return None
            return EmbeddedPolicies(
                source,
                first.result(),
                written=self._settings.writes.documents,
                max_memory_bytes=settings.max_memory_bytes,
            )
        except PolicySourceError as error:
            raise StartError(f"{settings.source}: {error}") from error
        finally:
            first.cancel()
            stopping.cancel()
            await asyncio.gather(first, stopping, return_exceptions=True)

    def read_again(self) -> None:
        """Look at everything that is followed at once; it is what SIGHUP is for. To be called on its event loop."""
        log.info(
            "SIGHUP: policies, certificates and tokens are read again, the flag file is all the time; settings need a restart"
        )
        self._parts.credentials.nudge.give()
        if self._parts.policies is not None:
            self._parts.policies.nudge.give()

    def _warn_of_open_doors(self) -> None:
        for setting in tokens_in_clear(self._settings):
            log.warning("a token is sent over http, where others can read it; set an https address", setting=setting)
        data = self._settings.data
        if (
            self._parts.in_process
            or data.host is None
            or data.authentication is not Authentication.OFF
            or is_loopback(data.host)
        ):
            return
        log.warning(
            "the data port can be reached from other hosts and asks nobody who they are; "
            "set data.authentication, or data.host to 127.0.0.1",
            host=data.host,
            tls=data.tls.cert_file is not None,
        )

    def _await_policies(self, problem: str) -> None:
        self._parts.waiting = f"there are no policies yet: {problem}"

    def _bundle_not_kept(self) -> None:
        if self._telemetry is None:
            self._bundles_not_kept += 1
        else:
            self._telemetry.bundle_not_kept()

    def _engine(self, policies: EmbeddedPolicies) -> Engine:
        cache, limits = self._settings.cache, self._settings.limits
        return Engine(
            policies.policies,
            cache_max_entries=cache.max_size,
            cache_max_bytes=cache.max_bytes,
            cache_ttl_seconds=cache.ttl,
            evaluation_timeout_seconds=limits.evaluation_timeout,
            evaluation_max_bytes=limits.max_evaluation_bytes,
            cache_classes=cache.classes.table(),
            cache_unknown_class_seconds=cache.classes.unknown,
            cache_class_input=cache.classes.input,
            cache_class_decision=cache.classes.decision,
        )

    def _server(self, engine: Engine) -> Server:
        data, limits, settings = self._settings.data, self._settings.limits, self._settings
        # The data plane's own deadline is the last resort: what Python waits for ends before it.
        longest = settings.opa.timeout + limits.evaluation_timeout + 2 * settings.cache.redis_timeout + 1.0
        return Server(
            engine,
            host=None if self._in_process else data.host,
            port=None if self._in_process or data.host is None else data.port,
            unix_path=None if self._in_process else data.unix_path,
            in_process=self._in_process,
            writes=bool(settings.writes.documents),
            unix_mode=data.unix_mode,
            workers=limits.workers,
            max_body_bytes=limits.max_body_bytes,
            max_header_bytes=limits.max_header_bytes,
            idle_timeout_seconds=limits.idle_timeout,
            header_timeout_seconds=limits.header_timeout,
            body_timeout_seconds=limits.body_timeout,
            write_timeout_seconds=limits.write_timeout,
            max_connections=limits.max_connections,
            baseline_queue=limits.baseline_queue,
            baseline_timeout_seconds=longest,
            inline_evaluation_seconds=limits.inline_evaluation,
            evaluation_threads=limits.evaluation_threads,
            evaluation_queue=limits.evaluation_queue,
            subject_pointer=data.subject_pointer,
            subject_fallbacks=data.subject_fallbacks,
            subject_header=data.subject_header,
            shadow_queue=settings.shadow.queue,
            shadow_queue_bytes=settings.shadow.queue_bytes,
            shadow_request_bytes=settings.shadow.max_request_bytes,
        )

    async def _start_baseline(
        self,
        stack: AsyncExitStack,
        server: Server,
        engine: Engine,
        policies: EmbeddedPolicies,
        telemetry: Telemetry,
        *,
        gate: EngineGate,
    ) -> None:
        settings, parts = self._settings, self._parts
        opa = await stack.enter_async_context(OpaServer(settings.opa, max_decision_bytes=settings.limits.max_decision_bytes))
        written = written_data(settings, opa, engine, policies, gate)
        view = OpaView(
            opa,
            ours=lambda: (policies.sources, policies.policies.revision),
            interval=settings.opa.poll_interval,
            telemetry=telemetry,
            memory=settings.cache.ttl + _MEMORY_BEYOND_TTL_SECONDS,
            # What OPA decided and the cache in process keeps is found by the engine's revision, which may come back.
            on_change=engine.cache_clear,
            written=written,
        )
        parts.opa = view
        decisions = await self._decisions_kept(stack, server, view, telemetry)
        threads = ThreadPoolExecutor(_EVALUATION_THREADS, thread_name_prefix="evaluate")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        asking = Guard("opa", settings.opa.breaker.rule(), telemetry, on_change=lambda _: dispatcher.resume())
        parts.opa_breaker = asking.status
        arm = BaselineArm(
            data_plane=server,
            opa=GuardedOpa(opa, asking),
            decisions=decisions,
            engine=engine,
            threads=threads,
            opa_policies=lambda: view.known,
            embedded_revision=lambda: policies.policies.revision,
            lifetimes=settings.cache.lifetimes(),
        )
        upstream = await stack.enter_async_context(
            OpaUpstream(settings.opa, max_answer_bytes=settings.limits.max_decision_bytes)
        )
        writer = writer_of(settings, upstream, view, written, gate=gate, counter=telemetry) if written is not None else None
        if writer is not None:
            parts.writes = writer.status
        # A thread of its own: a probe that waited behind decisions would have a busy sidecar restarted, which helps nobody.
        probing = ThreadPoolExecutor(1, thread_name_prefix="health")
        stack.callback(probing.shutdown, wait=False, cancel_futures=True)
        rest = RestAnswering(parts, upstream, engine, telemetry, threads=probing, writing=writer)
        desk = Desk[BaselineJob, Asked](arm, rest, server)
        dispatcher: Dispatcher[BaselineJob, BaselineJob | Asked] = Dispatcher(
            server,
            desk,
            concurrency=settings.limits.baseline_concurrency,
            hangs=lambda: asking.state is not BreakerState.CLOSED,
        )
        dispatcher.start()
        self._spawn("opa breaker", asking.follow())
        stack.push_async_callback(dispatcher.stop)
        try:
            # So that the first decisions can be kept; an OPA that is away must not hold up the start.
            await asyncio.wait_for(view.look(), _FIRST_LOOK_SECONDS)
        except TimeoutError:
            log.warning("OPA has not told its policies yet", url=settings.opa.url)
        self._spawn("opa", view.follow())
        self._parts.shadow = await open_shadow(
            stack,
            settings,
            server=server,
            engine=engine,
            policies=policies,
            view=view,
            sample=lambda: parts.flags.flags.share.shadow if parts.flags else 0,
        )
        self._spawn("shadow", self._parts.shadow.run())

    async def _decisions_kept(
        self, stack: AsyncExitStack, server: Server, view: OpaView, telemetry: Telemetry
    ) -> Keeping | NoDecisions:
        settings, parts = self._settings.cache, self._parts
        if settings.backend is not CacheBackend.REDIS:
            return NoDecisions()
        guard = Guard("redis", settings.redis_breaker.rule(), telemetry)
        self._spawn("redis breaker", guard.follow())
        redis = await stack.enter_async_context(RedisDecisions(settings, server, guard))
        parts.redis_problem = lambda: redis.problem
        parts.redis_breaker = redis.breaker
        keeping = Keeping(redis, view.looked_anew)
        self._spawn("kept decisions", keeping.run())
        return keeping

    def _start_decision_logs(self, server: Server, policies: EmbeddedPolicies) -> None:
        bundle = self._settings.policies.bundle
        name = bundle.name if bundle.file is not None or bundle.url is not None else ""
        decisions = open_decision_logs(
            self._settings.decision_logs,
            server,
            version=SIDECAR_VERSION,
            bundle=lambda: (policies.policies.revision, name, policies.label),
        )
        self._decisions = self._parts.decision_logs = decisions
        if decisions is not None:
            self._spawn("decision logs", decisions.run())

    def _start_faults(self, server: Server, telemetry: Telemetry) -> None:
        faults = self._settings.fault_injection
        telemetry.fault_injection(faults.enabled)
        if faults.enabled and faults.file is not None:
            self._parts.faults = FaultHook(faults.file, server)
            self._spawn("faults", self._parts.faults.follow())

    async def _start_flags(self, stack: AsyncExitStack, gate: EngineGate, telemetry: Telemetry) -> None:
        settings = self._settings.flags
        follower = FlagFollower(
            follows_api=settings.mode is FlagMode.WATCH,
            apply=gate.apply,
            telemetry=telemetry,
            state_file=settings.state_file,
            fixed=_fixed_share(self._settings) if settings.mode is FlagMode.STATIC else None,
        )
        self._parts.flags = follower
        if settings.mode is FlagMode.STATIC:
            return
        if self._settings.feature_flags != StaticFlags():
            log.warning("feature_flags are not used: the flags come from a document", mode=settings.mode.value)
        await follower.restore()
        if settings.file is not None:
            file = FlagFile(
                settings.file,
                on_text=lambda text: follower.receive(text, Origin.FILE),
                on_problem=lambda reason: follower.absent(reason, Origin.FILE),
            )
            await file.look()
            self._spawn("flag file", file.run())
        if settings.mode is FlagMode.WATCH:
            await self._start_watch(stack, follower)
        self._spawn("flag validity", follower.keep_time())
        self._spawn("flag state file", follower.keep_state())
        await self._first_flags(follower)

    async def _start_watch(self, stack: AsyncExitStack, follower: FlagFollower) -> None:
        # Its import takes a second or two of CPU, which the other modes need not pay.
        from .flags.cluster import ClusterAccessError, cluster_client
        from .flags.configmap import FlagConfigMap

        settings = self._settings.flags
        try:
            client = await cluster_client(settings.kubeconfig)
        except ClusterAccessError as error:
            raise StartError(str(error)) from error
        await stack.enter_async_context(client)
        watch = FlagConfigMap(
            client,
            settings.effective_namespace(),
            settings.config_map,
            on_text=lambda text: follower.receive(text, Origin.WATCH),
            on_absent=lambda reason: follower.absent(reason, Origin.WATCH),
            on_link=follower.link,
        )
        self._spawn("flag watch", watch.run())

    async def _first_flags(self, follower: FlagFollower) -> None:
        """Wait for the source's first word, or for the user's patience to end: without one, baseline is served all the same."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        answered = asyncio.ensure_future(follower.answered.wait())
        try:
            await asyncio.wait(
                {stopping, answered}, timeout=self._settings.flags.start_timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopping.cancel()
            answered.cancel()
        if not follower.answered.is_set():
            log.warning("no word from the source of the flags", state=follower.flags.state.value, problem=follower.problem)

    def _listen(self, server: Server) -> int:
        try:
            return server.start()
        except OSError as error:
            raise StartError(f"{self._settings.data.listeners()}: {error}") from error

    async def _drain(self) -> None:
        self._parts.waiting = "shutting down"
        if self._telemetry is not None:
            self._telemetry.ready(ready=False)
        if self._listening is not None:
            log.info("draining", seconds=self._settings.limits.drain_timeout)
            finished = await asyncio.to_thread(self._listening.drain, self._settings.limits.drain_timeout)
            (log.info if finished else log.warning)("drained", finished=finished)
        if self._decisions is not None:
            await self._decisions.finish()

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A follower that died would leave a sidecar that looks alive and follows nothing: rather stop, and be restarted."""
        self._tasks.discard(task)
        if task.cancelled():
            return
        self._failure = task.exception() or TaskEnded(task.get_name())
        log.error("a background task ended; shutting down", task=task.get_name(), exc_info=task.exception())
        self._stopping.set()

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _set_flags(server: Server, share: Share, assignment: Assignment) -> None:
    server.set_flags(
        rollout=share.rollout,
        revision=share.revision,
        percentage=share.percentage,
        salt=share.salt,
        rust_opa=share.rust_opa,
        rust_cache=share.rust_cache,
        shadow=share.shadow,
        assignment=assignment.value,
        valid_seconds=None if isinf(share.ends) else max(share.ends - time.monotonic(), 0.0),
    )


def _fixed_share(settings: Settings) -> Share:
    flags = settings.feature_flags
    return Share(
        percentage=flags.rollout_percentage,
        salt=settings.flags.salt,
        rust_opa=flags.rust_opa_enabled,
        rust_cache=flags.rust_cache_enabled,
        shadow=flags.shadow_percentage,
    )
