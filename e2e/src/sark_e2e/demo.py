"""The demonstration: `make demo`, or `python -m sark_e2e.demo [--keep]`.

Two rollouts on real parts. The first takes a fleet from 5% to 100%. The second meets a slow new arm at 25% and goes back by
itself; tried again, it meets a failing one, and goes back again. What it says is checked: the exit status is 1 when something
is not so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from typing import Final

from rich.console import Console

from sark_api.status import Phase
from sark_cli.explanation import explain
from sark_cli.live_view import LiveView
from sark_cli.times import clock

from .admin_port import first_fault_at
from .applied_rollout import AppliedRollout, ExpectationError
from .cluster import LocalCluster
from .example import steps
from .fleet import Fleet
from .kept_running import KeptRunning
from .kubectl import KubectlError
from .page import ServedPage
from .process import ProcessError
from .program import ProgramError
from .recovery import Recovery
from .scenario import Scenario
from .traffic.load import Traffic

RATE: Final = 200.0
SLOW_MS: Final = 250.0
FAILING_PERCENT: Final = 30.0
SECOND_PLAN: Final = {"steps": steps((5, 25, 50, 100), bake="10s")}
"""Shorter than the example's, for it will not come to its end."""

COMPLETION_SECONDS: Final = 300.0
STEP_SECONDS: Final = 90.0
REVERT_SECONDS: Final = 60.0
CONFIRM_SECONDS: Final = 10.0
INTERRUPTED: Final = 130


class Demonstration:
    """The story, told on a running cluster."""

    def __init__(self, cluster: LocalCluster, console: Console) -> None:
        self._cluster = cluster
        self._console = console
        self._view = LiveView(console)
        self.scenario = Scenario(cluster, prefix="demo", watch=self._view.show)
        self._page = ServedPage.at(cluster.network, cluster.folder)
        self.keeping = contextlib.ExitStack()
        """To be entered within the scenario: what a cluster's controllers would keep running."""
        self.fleets: list[Fleet] = []
        self.loads: list[Traffic] = []

    def tell(self) -> None:
        """Tell all of it. Raises ExpectationError when something is not as it should be."""
        self._heading("A fleet on the slow path, under load, and an operator")
        gateway = self._fleet("gateway")
        operator = self.scenario.operator(arguments=self._page.arguments)
        # On a machine that has too much to do it may lose its Lease, and ends.
        self.keeping.enter_context(KeptRunning(operator))
        self._say(f"A page to look at: {self._page.url}   token {self._page.token}")
        self._complete(gateway)
        self._heading("A second fleet, whose new arm will turn out to be bad")
        tools = self._fleet("tools")
        rollout = self.scenario.apply("tools", tools, SECOND_PLAN)
        self._meet_slowness(rollout, tools)
        self._meet_errors(rollout, tools)
        self._heading("What is left to read afterwards")
        self._say(f"$ kubectl get sarkrollouts -n {self.scenario.namespace}")
        self._say(self._cluster.kubectl("get", "sarkrollouts", "-n", self.scenario.namespace))
        self._say(explain(rollout.read(), clock))
        self._count_answers()

    def _complete(self, fleet: Fleet) -> None:
        """Apply the example as it stands and see it to its end."""
        self._heading("kubectl apply: examples/gateway.yaml, with the address of this Prometheus")
        rollout = self.scenario.apply("gateway", fleet)
        with self._view.following():
            completed = rollout.becomes(Phase.COMPLETED, seconds=COMPLETION_SECONDS)
        self.scenario.serves(fleet, 100, seconds=CONFIRM_SECONDS)
        self._say(completed.status.history[-1].message)

    def _meet_slowness(self, rollout: AppliedRollout, fleet: Fleet) -> None:
        with self._view.following():
            rollout.bakes(25, milliseconds=2000, seconds=STEP_SECONDS)
        self._heading(f"At 25%: every request of the new arm takes {SLOW_MS:.0f} ms longer from now on")
        fleet.inject(latency_ms=SLOW_MS)
        self._expect_revert(rollout, fleet, "latencyP95")

    def _meet_errors(self, rollout: AppliedRollout, fleet: Fleet) -> None:
        fleet.inject()
        self._heading("The slowness is mended, so it is tried again: spec.attempt is raised to 2")
        rollout.edit({"attempt": 2})
        with self._view.following():
            rollout.until("attempt 2", lambda seen: seen.status.attempt == 2, seconds=REVERT_SECONDS)
            rollout.bakes(5, milliseconds=2000, seconds=STEP_SECONDS)
        self._heading(f"At 5%: {FAILING_PERCENT:.0f}% of the new arm's requests fail from now on")
        fleet.inject(error_percent=FAILING_PERCENT)
        self._expect_revert(rollout, fleet, "errorRate", "fallbackRate")

    def _expect_revert(self, rollout: AppliedRollout, fleet: Fleet, *criteria: str) -> None:
        """See the rollout go back by itself because of one of `criteria`, and say how long that took."""
        with self._view.following():
            reverted = rollout.becomes(Phase.REVERTED, seconds=REVERT_SECONDS)
        reports = self.scenario.serves(fleet, 0, seconds=CONFIRM_SECONDS)
        recovery = Recovery.of(reverted, first_fault_at(fleet), reports)
        if recovery.criterion.name not in criteria:
            raise ExpectationError(f"{rollout.key}: expected a revert by {' or '.join(criteria)}\n{explain(reverted, clock)}")
        self._say("It went back to 0% by itself.")
        for line in recovery.lines():
            self._say(f"  {line}")

    def _count_answers(self) -> None:
        """Say what the applications saw of all this; a failed request of the new arm is answered by the baseline."""
        for fleet, load in zip(self.fleets, self.loads, strict=True):
            stats = load.stats()
            self._say(f"The applications of {fleet.name} got {stats.requests:,} answers and {stats.failures:,} failures.")
            if stats.failures:
                raise ExpectationError(
                    f"{fleet.name}: expected no failure at the applications; their load says {stats.answers}"
                )

    def _fleet(self, name: str) -> Fleet:
        fleet = self.scenario.fleet(name)
        self.fleets.append(fleet)
        self.loads.append(self.scenario.traffic(fleet, rate=RATE))
        self._say(f"{len(fleet.pods)} sidecars of {name} answer {RATE:.0f} questions a second")
        return fleet

    def keep(self) -> None:
        """Print where everything is, and wait for the end: Ctrl-C."""
        cluster = self._cluster
        self._heading("It keeps running until Ctrl-C. From another terminal:")
        self._say(f"export KUBECONFIG={cluster.kubeconfig}")
        self._say(f"{cluster.kubectl.path} get sarkrollouts --all-namespaces --watch")
        self._say("")
        self._say(f"page         {self._page.url}   token {self._page.token}")
        self._say(f"namespace    {self.scenario.namespace}")
        self._say(f"Prometheus   {cluster.prometheus.url}")
        self._say(f"OPA          {cluster.opa.url}")
        self._say(f"Redis        {cluster.redis.url}")
        for pod in (pod for fleet in self.fleets for pod in fleet.pods):
            self._say(f"{pod.name:12} decisions {pod.sidecar.data_url}, flags {pod.sidecar.admin_url}/flags")
        self._say(f"logs         {cluster.folder}")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)

    def _heading(self, text: str) -> None:
        self._console.print()
        self._console.print(text, style="bold", markup=False, highlight=False, soft_wrap=True)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def run(console: Console, *, keep: bool) -> None:
    """Start everything, tell the story, and end everything. Raises what went wrong."""
    started = time.monotonic()

    def report(line: str) -> None:
        console.print(
            f"{time.monotonic() - started:6.1f} s  {line}", style="dim", markup=False, highlight=False, soft_wrap=True
        )

    report("starting a Kubernetes API, Prometheus, OPA and Redis on this machine's loopback")
    with contextlib.ExitStack() as stack:
        stack.callback(report, "everything has been ended")
        cluster = stack.enter_context(LocalCluster("demo", report=report))
        demonstration = Demonstration(cluster, console)
        stack.enter_context(demonstration.scenario)
        stack.enter_context(demonstration.keeping)
        stack.callback(report, f"ending everything; the logs stay in {cluster.folder}")
        demonstration.tell()
        report("all of it was as it should be")
        if keep:
            demonstration.keep()


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration and return its exit status: 0, 1 when something was not as it should be, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.demo", description="Move a real fleet and watch it go back.")
    kept = os.environ.get("KEEP", "") not in ("", "0")
    parser.add_argument("--keep", action="store_true", default=kept, help="leave everything running at the end (or KEEP=1)")
    keep = parser.parse_args(arguments).keep
    console = Console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        run(console, keep=keep)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ExpectationError, ProcessError, ProgramError, KubectlError) as error:
        console.print(f"error: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
