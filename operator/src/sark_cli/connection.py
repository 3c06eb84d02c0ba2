"""How the API server is reached: the way kubectl reaches it. The Kubernetes client is imported only when it is needed."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .failure import CommandError

if TYPE_CHECKING:
    import ssl

    from kubernetes.client import Configuration

AGENT = "sark-rollout-cli"
"""Who we say we are; also the field manager of everything we write."""
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """An API client, and the namespace that is meant when none is named."""

    api: Any
    namespace: str
    server: str


def connect(options: argparse.Namespace) -> Connection:
    """Return the connection the options, $KUBECONFIG or the pod's service account describe.

    Raises:
        CommandError: there is no kubeconfig, it cannot be used, or it has no such context. A pod's service account has none: a
            person who names a cluster must not be shown, and must not change, another one.
    """
    from kubernetes import client, config
    from kubernetes.config import ConfigException
    from yaml import YAMLError

    configuration = client.Configuration()
    # One try: a person who waits would rather be told. (The library's type says otherwise than what it passes on.)
    configuration.retries = False
    source = options.kubeconfig or os.environ.get("KUBECONFIG", "") or str(Path.home() / ".kube" / "config")
    in_pod = not options.kubeconfig and not _exists(source) and "KUBERNETES_SERVICE_HOST" in os.environ
    if in_pod and options.context:
        raise CommandError(
            f"there is no kubeconfig at {source} to look up the context {options.context!r} in: give --kubeconfig, or leave "
            "--context out to use the service account of this pod"
        )
    try:
        if in_pod:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            namespace = (_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=source,
                context=options.context or None,
                client_configuration=configuration,
                persist_config=False,
            )
            namespace = _context_namespace(source, options.context)
    except (ConfigException, YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(_complaint(source, options.context, error)) from error
    api = client.ApiClient(configuration)
    api.rest_client.pool_manager.connection_pool_kw["ssl_context"] = _tls(configuration)
    api.user_agent = AGENT
    return Connection(api, options.namespace or namespace, str(configuration.host))


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """Return how TLS is spoken with the server.

    Whom it trusts is the same with every Python. From 3.13 on certificates are held by default to the letter of RFC 5280, and
    many a cluster's authority was made without the identifier of its key.
    """
    import ssl

    from urllib3.util import ssl_

    context = ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not (configuration.ssl_ca_cert or configuration.ca_cert_data):
        context.load_default_certs()  # as is done where no context is given
    return context


def _exists(source: str) -> bool:
    return any(Path(part).exists() for part in source.split(os.pathsep) if part)


def _context_namespace(source: str, context: str) -> str:
    from kubernetes import config

    contexts, active = config.list_kube_config_contexts(config_file=source)  # type: ignore[no-untyped-call]
    chosen = next((each for each in contexts if each["name"] == context), active) if context else active
    return str((chosen.get("context") or {}).get("namespace") or "default")


def _complaint(source: str, context: str, error: Exception) -> str:
    from yaml import YAMLError

    from sark_api.yaml_problem import yaml_problem

    if not _exists(source):
        return f"there is no kubeconfig at {source}: give --kubeconfig, or set KUBECONFIG"
    said = yaml_problem(error) if isinstance(error, YAMLError) else " ".join(str(error).split())[:300]
    which = f" with context {context!r}" if context else ""
    return f"cannot use the kubeconfig {source}{which}: {said}"
