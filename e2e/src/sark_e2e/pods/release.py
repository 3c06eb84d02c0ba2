"""The Helm release of the operator: installed, upgraded and uninstalled by helm as users do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from sark_e2e import chart
from sark_e2e.example import merged

from . import application
from .archives import Archive
from .pod_cluster import PodCluster, selector

NAMESPACE: Final = "sark-system"
NAME: Final = "sark"
DEPLOYMENT: Final = "sark-sark-rollout"
LABELS: Final = {"app.kubernetes.io/instance": NAME, "app.kubernetes.io/component": "operator"}
_SECONDS: Final = 240


class Release:
    """The release `sark`, which serves the gateway's namespace."""

    def __init__(self, cluster: PodCluster, image: Archive) -> None:
        self._cluster = cluster
        self._values: dict[str, Any] = {
            "image": {"repository": image.repository, "tag": image.tag},
            "namespaces": [application.NAMESPACE],
            "replicas": 1,
            "fleets": [
                {
                    "namespace": application.NAMESPACE,
                    "flagsConfigMap": application.FLAGS,
                    "serviceAccounts": [application.NAME],
                }
            ],
        }

    def install(self) -> None:
        """Install it and wait until it is ready. Raises ChartError."""
        self._helm("install", chart.CHART, "--create-namespace", *self._with({}), "--wait")

    def upgrade(self, values: Mapping[str, Any]) -> None:
        """Upgrade it with `values` over its own, and wait until every replica is the new one. Raises ChartError."""
        self._helm("upgrade", chart.CHART, *self._with(values), "--wait")

    def uninstall(self) -> None:
        """Uninstall it; its job restores the baselines first. Raises ChartError."""
        self._helm("uninstall", "--wait")

    def pods(self) -> list[str]:
        """Return the names of the operator's pods that are not about to go."""
        return running_pods(self._cluster, NAMESPACE, LABELS)

    def holder(self) -> str:
        """Return which of `pods` holds the Lease; nothing when none does, as while a dead one's term runs out."""
        query = ("get", "lease", "sark-operator", "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}")
        holder = self._cluster.kubectl(*query)
        return next((name for name in self.pods() if name in holder), "")

    def _with(self, values: Mapping[str, Any]) -> list[str]:
        path = self._cluster.folder / "values.yaml"
        path.write_text(yaml.safe_dump(merged(self._values, values)), encoding="utf-8")
        return [f"--values={path}"]

    def _helm(self, verb: str, *arguments: Any) -> None:
        folder = self._cluster.folder / "helm"
        own = {f"HELM_{each}_HOME": str(folder / each.lower()) for each in ("CACHE", "CONFIG", "DATA")}
        environment = {"KUBECONFIG": str(self._cluster.kubeconfig), **own}
        place = (f"--namespace={NAMESPACE}", f"--timeout={_SECONDS}s")
        chart.helm(verb, NAME, *arguments, *place, environment=environment, seconds=_SECONDS + 30)


def running_pods(cluster: PodCluster, namespace: str, labels: Mapping[str, str]) -> list[str]:
    """Return the names of the pods with `labels` that are ready and not about to go."""
    listed = yaml.safe_load(cluster.kubectl("get", "pods", "-n", namespace, "-l", selector(labels), "-o", "json"))["items"]
    return [each["metadata"]["name"] for each in listed if _is_running(each)]


def _is_running(pod: Mapping[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"
