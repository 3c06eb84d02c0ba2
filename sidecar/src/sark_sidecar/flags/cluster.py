"""A client for the API of the cluster the sidecar runs in, or of the one a kubeconfig names."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio import client, config

from sark_api.yaml_problem import yaml_problem

_LOADING: Final = threading.RLock()
"""Held while a kubeconfig is read: the library remembers the file of a certificate before it has written it, and another
decision point of the process, in a thread of its own, would read an empty one."""


class ClusterAccessError(Exception):
    """There is no way to reach an API; the message says what is missing."""


async def cluster_client(kubeconfig: Path | None) -> client.ApiClient:
    """Return a client; the caller closes it.

    Raises:
        ClusterAccessError: the kubeconfig cannot be used, or this is no pod.
    """
    configuration = client.Configuration()
    # Whom it trusts is the same with every Python: from 3.13 on many a cluster's authority would be refused for its form.
    configuration.disable_strict_ssl_verification = True
    try:
        if kubeconfig is not None:
            with _LOADING:
                await config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except yaml.YAMLError as error:
        # From None: no stack may show the reader's own text, which quotes the file, and with it a token.
        problem = f"flags.kubeconfig {kubeconfig} is not YAML: {yaml_problem(error)}"
        raise ClusterAccessError(f"the Kubernetes API cannot be used: {problem}") from None
    except (config.ConfigException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        advice = (
            f"flags.kubeconfig {kubeconfig}" if kubeconfig else "no service account here; outside a pod set flags.kubeconfig"
        )
        raise ClusterAccessError(f"the Kubernetes API cannot be used: {advice}: {error}") from error
    # Retries would hide from the watch that the API is away; it has its own.
    configuration.retries = None
    return client.ApiClient(configuration)
