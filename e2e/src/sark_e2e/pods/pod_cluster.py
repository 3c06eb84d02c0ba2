"""What the stories of `tests/e2e` need of a cluster with real pods, whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from kubernetes import client
from kubernetes.config import load_kube_config

from sark_e2e.kubectl import Kubectl

from .archives import Archive


class PodCluster(Protocol):
    """A running cluster with at least one node that takes pods. Everything else is asked of its API server."""

    folder: Path
    """For logs and files of the run."""
    kubeconfig: Path
    """The administrator's."""
    kubectl: Kubectl
    """As the administrator."""

    def load(self, archive: Archive) -> None:
        """Give the nodes the image in `archive`."""

    def cut(self, namespace: str, labels: Mapping[str, str], port: int) -> AbstractContextManager[None]:
        """Let nothing through to TCP `port` of the pods with `labels` while the context lasts, old connections included."""


def api_client(cluster: PodCluster) -> client.ApiClient:
    """Return a new client that speaks as the administrator; close it, or use it as a context manager."""
    configuration = client.Configuration()
    load_kube_config(config_file=str(cluster.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    return client.ApiClient(configuration)


def selector(labels: Mapping[str, str]) -> str:
    """Return `labels` as kubectl's --selector takes them."""
    return ",".join(f"{name}={value}" for name, value in labels.items())
