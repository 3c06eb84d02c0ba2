"""Scenarios: a namespace with fleets, load, an operator and rollouts, and the verbs to tell a story with.

    with Scenario(cluster) as scenario:
        fleet = scenario.fleet("gateway")              # given
        scenario.operator()
        scenario.traffic(fleet, rate=200)
        rollout = scenario.apply("gateway", fleet)     # when
        rollout.becomes(Phase.COMPLETED, seconds=180)  # then
        scenario.serves(fleet, 100, seconds=5)

The demonstration and the tests tell theirs with the same verbs. What was started ends with the scenario, and a story that was
told to its end is checked once more: of no rollout in it a step was taken without proof, a record lost or doubled, or more in
force in the end than its status wants (see `ledger`).
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import yaml
from kubernetes import client

from sark_api.flags import FlagDocument, parse_flag_document
from sark_api.names import FLAGS_KEY
from sark_api.report import FlagReport
from sark_cli.rollout import Rollout

from . import binaries
from .admin_port import AdminPortError, flag_reports
from .applied_rollout import POLL_SECONDS, AppliedRollout, ExpectationError
from .books import Books
from .cluster import LocalCluster
from .dashboards import DashboardPrometheus
from .example import example_rollout
from .faults.api_proxy import ApiProxy
from .faults.teachable_opa import TeachableOpa
from .fleet import Fleet
from .operator import Operator
from .process import Process
from .traffic.load import Traffic

RATE: Final = 150.0
"""Questions a second of a load, unless told otherwise: enough for 20 samples of 5% within 5 s."""


def nobody(rollout: Rollout) -> None:
    """Show a reading to nobody."""


class Scenario:
    """One namespace of a running cluster. A context manager."""

    def __init__(self, cluster: LocalCluster, *, prefix: str = "scenario", watch: Callable[[Rollout], None] = nobody) -> None:
        """Use `cluster`, which runs; `watch` is told of every reading of a rollout."""
        self.cluster = cluster
        self.namespace = ""
        self._prefix = prefix
        self._watch = watch
        self._rollouts: list[AppliedRollout] = []
        self._processes: list[Process] = []
        """Asked to end all at the same time: each needs a second or two for it."""
        self._place = contextlib.ExitStack()
        """The namespace and its books; they outlive what writes there."""
        self._stack = contextlib.ExitStack()
        self._core = client.CoreV1Api(cluster.api)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.namespace = stack.enter_context(self.cluster.namespace(self._prefix))
            stack.callback(self._release)
            self.books = stack.enter_context(Books(self.cluster.control_plane, self.namespace))
            self._place = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End everything. Raises ExpectationError when the story came to its end and a promise was not kept in it."""
        for process in self._processes:
            process.send(signal.SIGTERM)
        with self._place:
            self._stack.close()
            broken = self.books.broken_promises() if kind is None else []
        if broken:
            raise ExpectationError("\n".join(("promises that were not kept:", *broken)))

    def fleet(
        self,
        name: str = "gateway",
        *,
        replicas: int = 3,
        embedding: int = 0,
        overrides: Mapping[str, dict[str, Any]] | None = None,
    ) -> Fleet:
        """Start a fleet, with an empty flags ConfigMap, and return it when every sidecar is ready.

        `embedding` of the replicas are applications that decide inside themselves. `overrides` are settings by section.
        """
        made = self.cluster.fleet(name, namespace=self.namespace, replicas=replicas, embedding=embedding, overrides=overrides)
        fleet = self._stack.enter_context(made)
        self._processes += [pod.sidecar for pod in fleet.pods]
        return fleet

    def operator(self, *, name: str = "operator", through: str = "", arguments: Sequence[str] = ()) -> Operator:
        """Start the operator of this namespace; kill it and start it again with its own methods.

        A second one needs another `name`. It reaches the API server at `through`, a proxy's URL, when that is given.
        """
        made = self.cluster.operator(self.namespace, name=name, through=through, arguments=arguments)
        operator = self._stack.enter_context(made)
        self._processes.append(operator)
        return operator

    def api_proxy(self) -> ApiProxy:
        """Open a way to the API server on which requests can be held back, refused and lost."""
        return self._stack.enter_context(ApiProxy(self.cluster.control_plane.access, listen=self.cluster.network.server))

    def traffic(self, fleet: Fleet, *, rate: float = RATE) -> Traffic:
        """Start a load on `fleet` and return it when the first answers are in."""
        traffic = self._stack.enter_context(self.cluster.traffic(fleet, rate=rate))
        self._processes.append(traffic)
        return traffic

    def teachable_opa(self) -> TeachableOpa:
        """Start an OPA for a fleet with its `overrides`, whose answers can be made to differ from the engine's."""
        folder = self.cluster.folder / f"{self.namespace}-opa"
        made = TeachableOpa(binaries.program("opa"), network=self.cluster.network, folder=folder)
        return self._stack.enter_context(made)

    def prometheus_beside(self, fleet: Fleet, operator: Operator) -> DashboardPrometheus:
        """Start a Prometheus of its own that scrapes the fleet's sidecars and the operator every second."""
        targets = [url.removeprefix("http://") for url in (*(pod.sidecar.admin_url for pod in fleet.pods), operator.url)]
        network, folder = self.cluster.network, self.cluster.folder / f"{self.namespace}-dashboards"
        made = DashboardPrometheus(binaries.program("prometheus"), network=network, folder=folder, targets=targets)
        return self._stack.enter_context(made)

    def apply(self, name: str, fleet: Fleet, edits: Mapping[str, Any] | None = None) -> AppliedRollout:
        """Apply examples/gateway.yaml as rollout `name` of `fleet`, with `edits` laid over its spec."""
        body = example_rollout(name, fleet, prometheus=self.cluster.prometheus.url, edits=edits)
        self.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))
        rollout = AppliedRollout(self.cluster.api, self.namespace, name, watch=self._watch)
        self._rollouts.append(rollout)
        return rollout

    def serves(self, fleet: Fleet, percent: int, *, seconds: float) -> dict[str, FlagReport]:
        """Wait until every sidecar of `fleet`, one at least, itself says that it serves `percent`; return what they say."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                reports = flag_reports(fleet)
                said = ", ".join(f"{name} {report.percentage}%" for name, report in reports.items()) or "it has no sidecar"
                if reports and all(report.percentage == percent for report in reports.values()):
                    return reports
            except AdminPortError as error:
                said = str(error)
            if time.monotonic() > deadline:
                raise ExpectationError(f"{fleet.name}: expected {percent}% on every sidecar within {seconds:.0f} s; {said}")
            time.sleep(POLL_SECONDS)

    def flags(self, fleet: Fleet) -> FlagDocument:
        """Return the flag document in force. Raises FlagDocumentError."""
        config_map: Any = self._core.read_namespaced_config_map(fleet.config_map, self.namespace)
        return parse_flag_document((config_map.data or {}).get(FLAGS_KEY, ""))

    def write_flags(self, fleet: Fleet, text: str) -> None:
        """Write `text` over the flag document, as a person with too many rights would."""
        self._core.patch_namespaced_config_map(fleet.config_map, self.namespace, {"data": {FLAGS_KEY: text}})

    def _release(self) -> None:
        """Let go of rollouts that are left, so that the namespace can go without an operator."""
        for rollout in self._rollouts:
            rollout.release()
