"""Pods without containers: objects of the real API whose status is written here, as a kubelet would write it.

They name no node. A pod bound to a node that does not exist is collected as an orphan within a minute; an unbound one that runs
is left alone, and goes at once when it is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from .prometheus import ANNOTATION_PORT, ANNOTATION_SCRAPE

CONTAINER: Final = "sidecar"
IMAGE: Final = "localhost/sark-sidecar:local"


@dataclass(frozen=True)
class PodAddress:
    """A pod that exists."""

    namespace: str
    name: str
    ip: str


def create_pod(
    api: client.ApiClient,
    pod: PodAddress,
    *,
    labels: Mapping[str, str],
    metrics_port: int | None = None,
    service_account: str = "default",
) -> None:
    """Create `pod`, not ready yet; with `metrics_port` it asks Prometheus to scrape /metrics there."""
    annotations = {} if metrics_port is None else {ANNOTATION_SCRAPE: "true", ANNOTATION_PORT: str(metrics_port)}
    body = client.V1Pod(
        metadata=client.V1ObjectMeta(name=pod.name, labels=dict(labels), annotations=annotations),
        spec=client.V1PodSpec(
            containers=[client.V1Container(name=CONTAINER, image=IMAGE)],
            service_account_name=service_account,
            automount_service_account_token=False,
        ),
    )
    client.CoreV1Api(api).create_namespaced_pod(pod.namespace, body)
    set_status(api, pod, ready=False, restarts=0)


def set_status(api: client.ApiClient, pod: PodAddress, *, ready: bool, restarts: int) -> None:
    """Write the status a kubelet would write for a running container that is ready or not, after `restarts` restarts."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    condition = {"status": str(ready), "lastTransitionTime": now}
    always = {"status": "True", "lastTransitionTime": now}
    status: dict[str, Any] = {
        "phase": "Running",
        "podIP": pod.ip,
        "podIPs": [{"ip": pod.ip}],
        "startTime": now,
        "conditions": [
            {"type": "PodScheduled", **always},
            {"type": "Initialized", **always},
            {"type": "ContainersReady", **condition},
            {"type": "Ready", **condition},
        ],
        "containerStatuses": [
            {
                "name": CONTAINER,
                "image": IMAGE,
                "imageID": IMAGE,
                "ready": ready,
                "started": ready,
                "restartCount": restarts,
                "state": {"running": {"startedAt": now}},
            }
        ],
    }
    client.CoreV1Api(api).patch_namespaced_pod_status(pod.name, pod.namespace, {"status": status})


def delete_pod(api: client.ApiClient, pod: PodAddress) -> None:
    """Delete `pod` at once; nothing happens when it is gone already."""
    try:
        client.CoreV1Api(api).delete_namespaced_pod(pod.name, pod.namespace, grace_period_seconds=0)
    except ApiException as error:
        if error.status != 404:
            raise
