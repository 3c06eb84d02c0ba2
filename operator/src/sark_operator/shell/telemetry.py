"""What the operator counts and measures of itself, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sark_api.status import SarkRolloutStatus
from sark_operator.shell.rollout_series import RolloutSeries

_SHORT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1)
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Telemetry:
    """All series of the operator, in a registry of its own so that two operators in one test process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._ticks = self._counter("ticks", "Ticks by outcome: done, conflict, failed.", ("sark_rollout", "outcome"))
        self._tick_seconds = self._histogram("tick_seconds", "Seconds from the start of a tick to its last write.")
        self._lag_seconds = self._histogram("tick_lag_seconds", "Seconds between the time a tick was due and its start.")
        self._transitions = self._counter("transitions", "Transitions by reason.", ("sark_rollout", "reason"))
        self._api_errors = self._counter("api_errors", "Failed requests to the API server by verb and kind.", ("verb", "error"))
        self._api_calls = self._counter(
            "api_calls", "Requests to the API server by verb, failed or not; watches are kopf's.", ("verb",)
        )
        self._api_seconds = self._histogram("api_seconds", "Seconds one request to the API server took.")
        self._decide_seconds = self._histogram(
            "decide_seconds", "Seconds from the start of a decision to its end, without reading and writing.", _SHORT
        )
        self._restore_seconds = self._histogram(
            "restore_seconds", "Seconds from the start of a tick that took the share back to 0% to its last write."
        )
        self._queries = self._counter("prometheus_queries", "Queries sent to Prometheus by outcome.", ("outcome",))
        self._query_seconds = self._histogram("prometheus_query_seconds", "Seconds one Prometheus query took.")
        self._events = self._counter("events", "Kubernetes events by outcome: posted, failed.", ("outcome",))
        self._evidence = self._counter(
            "evidence_records", "Evidence records by rollout and outcome: filed, failed.", ("sark_rollout", "outcome")
        )
        self._notifications = self._counter(
            "notifications", "Deliveries of notices to one address by outcome: sent, failed, given up.", ("outcome",)
        )
        self._alerts = self._counter("alert_notifications", "Notifications of Alertmanager by outcome.", ("outcome",))
        self._rollouts = RolloutSeries()
        self.registry.register(self._rollouts)
        self._leader = self._gauge("leader", "1 while this process holds the Lease.")
        self._lease_shared = self._gauge(
            "lease_shared",
            "1 while the Lease is held by an operator that serves other namespaces than this process is to serve.",
        )
        self._unserved = self._gauge(
            "unserved",
            "1 for a namespace that is to be served and cannot be, for rights or the CRD are missing; * is the whole cluster.",
            ("sark_namespace",),
        )

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"sark_operator_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"sark_operator_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
        return Histogram(f"sark_operator_{name}", text, registry=self.registry, buckets=buckets)

    def tick(self, rollout: str, outcome: str, seconds: float) -> None:
        """Count a tick of `rollout` (namespace/name) that took `seconds`; outcome is done, conflict or failed."""
        self._ticks.labels(rollout, outcome).inc()
        self._tick_seconds.observe(seconds)

    def lag(self, seconds: float) -> None:
        """Record how late a tick began."""
        self._lag_seconds.observe(max(0.0, seconds))

    def transition(self, rollout: str, reason: str) -> None:
        """Count a transition."""
        self._transitions.labels(rollout, reason).inc()

    def api_call(self, verb: str, seconds: float) -> None:
        """Count a request to the API server that took `seconds`, whatever came of it."""
        self._api_calls.labels(verb).inc()
        self._api_seconds.observe(seconds)

    def decided(self, seconds: float) -> None:
        """Record how long a decision took to reckon."""
        self._decide_seconds.observe(seconds)

    def restored(self, seconds: float) -> None:
        """Record how long it took from the start of a tick until the lower share was written."""
        self._restore_seconds.observe(seconds)

    def api_error(self, verb: str, error: str) -> None:
        """Count a failed request to the API server."""
        self._api_errors.labels(verb, error).inc()

    def query(self, outcome: str, seconds: float) -> None:
        """Count a Prometheus query; outcome is ok or the reason it is missing."""
        self._queries.labels(outcome).inc()
        self._query_seconds.observe(seconds)

    def event(self, outcome: str) -> None:
        """Count a Kubernetes event; outcome is posted or failed."""
        self._events.labels(outcome).inc()

    def alerts(self, outcome: str) -> None:
        """Count a notification of Alertmanager; outcome is accepted, or why it was not."""
        self._alerts.labels(outcome).inc()

    def evidence(self, rollout: str, outcome: str) -> None:
        """Count a try to put evidence of `rollout` (namespace/name) into a ConfigMap; outcome is filed or failed."""
        self._evidence.labels(rollout, outcome).inc()

    def notification(self, outcome: str, number: int = 1) -> None:
        """Count deliveries of notices; outcome is sent, failed (it is tried again) or given up."""
        self._notifications.labels(outcome).inc(number)

    def state(self, rollout: str, status: SarkRolloutStatus, steps: int) -> None:
        """Show where a rollout of so many steps is: phase, step, bake, each criterion's verdict, and the share last written."""
        self._rollouts.show(rollout, status, steps)

    def forget(self, rollout: str) -> None:
        """Drop the series of a rollout that is gone."""
        self._rollouts.forget(rollout)
        for metric in (self._ticks, self._transitions, self._evidence):
            metric.remove_by_labels({"sark_rollout": rollout})

    def leader(self, holds: bool) -> None:
        """Show whether this process holds the Lease."""
        self._leader.set(holds)

    def lease_shared(self, *, shared: bool) -> None:
        """Show whether the Lease is held by one that serves other namespaces."""
        self._lease_shared.set(shared)

    def unserved(self, namespace: str, *, unserved: bool) -> None:
        """Show whether a namespace that is to be served cannot be; an empty name means the whole cluster."""
        self._unserved.labels(namespace or "*").set(unserved)
