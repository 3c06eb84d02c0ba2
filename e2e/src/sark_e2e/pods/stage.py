"""The stage of the stories in `tests/e2e`: an installed operator, a gateway of four pods under load, and verbs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import yaml
from kubernetes import client

from sark_api.report import FLAGS_PATH, FlagReport
from sark_api.status import Phase
from sark_cli.rollout import Rollout
from sark_e2e.applied_rollout import AppliedRollout, ExpectationError
from sark_e2e.deadline import eventually
from sark_e2e.example import EXAMPLE, merged, quick, steps
from sark_e2e.kubectl import KubectlError
from sark_e2e.program import ROOT
from sark_e2e.progress import Report, silent

from . import application, servers
from .archives import Archives
from .load import PORT as STATS_PORT
from .pod_cluster import PodCluster, api_client, selector
from .release import DEPLOYMENT, Release, running_pods
from .release import NAMESPACE as RELEASE_NAMESPACE

RATE: Final = 80.0
"""Calls a second: enough for 20 samples of 25% in a window of 5 s, and little enough for a machine that runs all of it."""
INJECTION: Final = ROOT / "manifests" / "injection" / "policy.yaml"
_SETTLE_SECONDS: Final = 300.0
_PROOF: Final = (50, 100)
_POLL_SECONDS: Final = 0.3
_UNASKED: Final = ("allow", "deny")


class Stage:
    """Everything of a run on one cluster. A context manager; what it applies goes with the cluster."""

    def __init__(self, cluster: PodCluster, archives: Archives, *, report: Report = silent) -> None:
        self.cluster = cluster
        self.release = Release(cluster, archives.operator)
        self.kubectl = cluster.kubectl
        self._archives = archives
        self._report = report
        self._stack = contextlib.ExitStack()
        self._prometheus = ""

    def __enter__(self) -> Self:
        self._api: client.ApiClient = self._stack.enter_context(api_client(self.cluster))
        archives = self._archives
        for archive in (archives.parts, archives.operator, archives.sidecar):
            self.cluster.load(archive)
        self._report("starting Prometheus, OPA and Redis")
        self._apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": application.NAMESPACE}}])
        parts = archives.parts.image
        self._apply(
            [
                *servers.prometheus(parts),
                *servers.opa(application.NAMESPACE, parts),
                *servers.redis(application.NAMESPACE, parts),
            ]
        )
        self._settles(servers.MONITORING, "prometheus")
        for name in ("opa", "redis"):
            self._settles(application.NAMESPACE, name)
        self._prometheus = f"http://{self._address(servers.MONITORING, 'prometheus')}"
        self._report("installing the chart")
        self.release.install()
        self._report(f"starting {application.REPLICAS} pods of the gateway, and its load")
        opa, redis = (self._address(application.NAMESPACE, name) for name in ("opa", "redis"))
        self._apply(application.gateway(archives, opa=opa, redis=redis))
        self.gateway_settles()
        target = self._address(application.NAMESPACE, application.NAME)
        self._apply(application.load(archives, target=target, rate=RATE))
        self._settles(application.NAMESPACE, "load")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self.note_state()
        self._stack.close()

    @contextlib.contextmanager
    def rollout(self, name: str, edits: Mapping[str, Any]) -> Iterator[AppliedRollout]:
        """Apply examples/gateway.yaml with `edits` as rollout `name`; afterwards it is gone, and the fleet on its baseline."""
        body: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
        body["metadata"] = {"name": name, "namespace": application.NAMESPACE}
        place = {
            "target": {"matchLabels": application.LABELS, "flagsConfigMap": application.FLAGS},
            "prometheus": {"address": self._prometheus},
            # A busy machine is blind at times; going back for that is no part of these stories.
            "rollback": {"blindFor": "5m"},
            "validFor": "10m",
        }
        body["spec"] = merged(merged(body["spec"], place), edits)
        self._apply([body])
        rollout = AppliedRollout(self._api, application.NAMESPACE, name, watch=lambda _: None)
        try:
            yield rollout
            rollout.delete()
            rollout.vanishes(seconds=90)
            self.serves(0, seconds=30)
        except BaseException:
            self.note_state()
            with contextlib.suppress(Exception):
                rollout.delete()
                rollout.release()
            raise

    @contextlib.contextmanager
    def proof(self, name: str) -> Iterator[AppliedRollout]:
        """A rollout that has begun to be proven at 50%, and stays there until `finishes`: what happens meets it live."""
        with self.rollout(name, quick(*_PROOF, bake="10m")) as rollout:
            rollout.bakes(_PROOF[0], milliseconds=2000, seconds=180)
            yield rollout

    def finishes(self, rollout: AppliedRollout) -> Rollout:
        """Expect that a rollout of `proof` is at 50% still and is proven further; then let it come to its end."""
        rollout.proves_more(_PROOF[0], seconds=120)
        rollout.edit({"steps": steps(_PROOF, bake="6s")})
        return rollout.becomes(Phase.COMPLETED, seconds=300)

    @contextlib.contextmanager
    def injection(self) -> Iterator[None]:
        """Give the gateway's pods their sidecar by the admission policy, as docs/install.md says, in place of their own."""
        namespace = application.NAMESPACE
        self._apply([application.injection(self._archives)])
        self.kubectl("apply", "--server-side", "-f", str(INJECTION))
        self.kubectl("label", "namespace", namespace, "sark.dev/inject=enabled")
        try:
            eventually(self._is_injecting, what="the admission policy to be in force", seconds=60)
            self._apply([application.gateway_deployment(self._archives, injected=True)])
            self.gateway_settles()
            yield
        finally:
            self._apply([application.gateway_deployment(self._archives)])
            self.gateway_settles()
            self.kubectl("label", "namespace", namespace, "sark.dev/inject-")
            self.kubectl("delete", "-f", str(INJECTION))

    def _is_injecting(self) -> bool:
        template = application.gateway_deployment(self._archives, injected=True)["spec"]["template"]
        template["metadata"] |= {"name": "tried", "namespace": application.NAMESPACE}
        pod = json.dumps({"apiVersion": "v1", "kind": "Pod", **template})
        done = self.kubectl.run("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=pod)
        return done.returncode == 0 and "initContainers" in json.loads(done.stdout)["spec"]

    def serves(self, percent: int, *, seconds: float) -> dict[str, FlagReport]:
        """Wait until every sidecar itself says that it serves `percent`, and return what they say."""
        deadline = time.monotonic() + seconds
        while True:
            said = "no pod is ready"
            try:
                reports = {name: self.report(name) for name in self.pods()}
            except KubectlError as error:
                reports, said = {}, str(error)
            if len(reports) == application.REPLICAS and all(each.percentage == percent for each in reports.values()):
                return reports
            if time.monotonic() > deadline:
                said = ", ".join(f"{name} {each.percentage}%" for name, each in reports.items()) or said
                raise ExpectationError(f"expected {percent}% on {application.REPLICAS} sidecars within {seconds:.0f} s; {said}")
            time.sleep(_POLL_SECONDS)

    def report(self, pod: str) -> FlagReport:
        """Return what the sidecar of `pod` says of its flags. Raises KubectlError."""
        return FlagReport.model_validate(json.loads(self._through_api(pod, application.ADMIN_PORT, FLAGS_PATH)))

    def pods(self) -> list[str]:
        """Return the gateway's pods that are ready and stay."""
        return running_pods(self.cluster, application.NAMESPACE, application.LABELS)

    def gateway_settles(self) -> None:
        """Wait until the gateway's Deployment has every replica it wants, all of the newest kind."""
        self._settles(application.NAMESPACE, application.NAME)

    def operator_settles(self) -> None:
        """Wait until the operator's Deployment has every replica it wants."""
        self._settles(RELEASE_NAMESPACE, DEPLOYMENT)

    def inject(self, *, latency_ms: float = 0, error_percent: float = 0) -> None:
        """Delay every request of the new arm in every pod and fail a share of them; zeros end it."""
        faults = json.dumps({"rust": {"latency_ms": latency_ms, "error_percent": error_percent}})
        fresh = f"{application.FAULTS}.new"
        code = f"import os; open({fresh!r}, 'w').write({faults!r}); os.replace({fresh!r}, {application.FAULTS!r})"
        for pod in self.pods():
            self.in_sidecar(pod, code)

    def in_sidecar(self, pod: str, code: str, *, fails: bool = False) -> str:
        """Run Python in the sidecar's container of `pod` and return its output; `fails` when it is expected to be killed."""
        place = ("exec", pod, "-n", application.NAMESPACE, "-c", application.SIDECAR)
        if fails:
            return self.kubectl.run(*place, "--", "python3", "-c", code, seconds=90).stderr
        return self.kubectl(*place, "--", "python3", "-c", code, seconds=90)

    def answers(self) -> dict[str, int]:
        """Return the number of answers that the load has had, by kind: allow, deny, `http 500`, or a connection's error."""
        [pod] = running_pods(self.cluster, application.NAMESPACE, {"app": "load"})
        counted: dict[str, int] = json.loads(self._through_api(pod, STATS_PORT, "/stats"))
        return counted

    def undecided_since(self, before: Mapping[str, int]) -> dict[str, int]:
        """Return the answers since `before` that were no decision, by kind."""
        return {
            kind: count - before.get(kind, 0)
            for kind, count in self.answers().items()
            if kind not in _UNASKED and count > before.get(kind, 0)
        }

    def events(self, rollout: AppliedRollout) -> list[str]:
        """Return the reasons of the events about it, as often as each was posted, sorted."""
        fields = f"involvedObject.name={rollout.name}"
        query = ("get", "events", "-n", rollout.namespace, f"--field-selector={fields}", "-o", "json")
        return sorted(each["reason"] for each in json.loads(self.kubectl(*query))["items"])

    def note_state(self) -> None:
        """Write what a person would look at first into the run's folder."""
        said = [
            self.kubectl.run(*each.split(" ")).stdout
            for each in (
                "get pods --all-namespaces -o wide",
                "get events --all-namespaces --sort-by=.lastTimestamp",
                "get sarkrollouts --all-namespaces -o yaml",
                f"logs -n {RELEASE_NAMESPACE} -l app.kubernetes.io/component=operator --tail=200 --prefix",
                f"logs -n {application.NAMESPACE} -l {selector(application.LABELS)} -c {application.SIDECAR} --tail=60",
            )
        ]
        path = self.cluster.folder / f"state-{time.strftime('%H%M%S')}.log"
        path.write_text("\n\n".join(said), encoding="utf-8")
        self._report(f"the cluster's state is in {path}")

    def _settles(self, namespace: str, name: str) -> None:
        seconds = _SETTLE_SECONDS
        self.kubectl(
            "rollout", "status", f"deployment/{name}", "-n", namespace, f"--timeout={seconds:.0f}s", seconds=seconds + 10
        )

    def _address(self, namespace: str, name: str) -> str:
        """Return host:port of a Service. By address, as not every cluster here has a name server."""
        return self.kubectl("get", "service", name, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")

    def _through_api(self, pod: str, port: int, path: str) -> str:
        return self.kubectl("get", "--raw", f"/api/v1/namespaces/{application.NAMESPACE}/pods/{pod}:{port}/proxy{path}")

    def _apply(self, objects: list[dict[str, Any]]) -> None:
        self.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
