"""How the API server is reached: one client for our own calls, and the same credentials for kopf's watches."""

from __future__ import annotations

import asyncio
import ssl
import threading
import warnings

import kopf
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from yaml import YAMLError

from sark_api.yaml_problem import yaml_problem
from sark_operator.shell.pod_watch import MAX_NAMESPACES
from sark_operator.shell.settings import Settings

_POOL_SIZE = 64 + MAX_NAMESPACES
"""Connections to the API server: more than there are requests under way at once (see `cluster`), which would else wait for one
inside their own deadlines, beside one for each namespace whose pods are watched."""

_LOADING = threading.RLock()
"""Held while a kubeconfig is read. The library remembers the file of a certificate before it has written it, and another thread
(of the Lease, of the page) then reads an empty one."""

LOAD_SECONDS = 30.0
"""So long a kubeconfig may take to be read, with the plugin that it may name for credentials."""


class ConnectionSettingsError(Exception):
    """The kubeconfig or the service account cannot be used; the message says why."""


async def load_configuration(settings: Settings) -> Configuration:
    """Return the client configuration for `settings`.

    Raises:
        ConnectionSettingsError: the kubeconfig is missing or broken, its plugin hangs, or there is no service account.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = _POOL_SIZE
    configuration.client_session_kwargs = {"trust_env": False}  # which also reads ~/.netrc at each request
    configuration.disable_strict_ssl_verification = True  # see `watch_tls`
    try:
        with _LOADING:
            if settings.kubeconfig:
                async with asyncio.timeout(LOAD_SECONDS):
                    await load_kube_config(  # type: ignore[no-untyped-call]
                        config_file=settings.kubeconfig,
                        context=settings.context or None,
                        client_configuration=configuration,
                        persist_config=False,
                    )
            else:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except TimeoutError:
        reason = f"its plugin for credentials told none within {LOAD_SECONDS:g} s; run it by hand to see what it waits for"
        raise ConnectionSettingsError(f"cannot use the kubeconfig {settings.kubeconfig}: {reason}") from None
    except YAMLError as error:
        # From None: no stack may show the reader's own text, which quotes the file, and with it a token.
        reason = f"it is not YAML: {yaml_problem(error)}"
        raise ConnectionSettingsError(f"cannot use the kubeconfig {settings.kubeconfig}: {reason}") from None
    except (ConfigException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        source = f"kubeconfig {settings.kubeconfig}" if settings.kubeconfig else "service account of this pod"
        raise ConnectionSettingsError(f"cannot use the {source}: {error}") from error
    return configuration


def open_client(configuration: Configuration) -> ApiClient:
    """Return a client that neither retries nor follows the environment's proxies silently."""
    client = ApiClient(configuration=configuration)
    client.user_agent = "sark-operator"
    return client


def kopf_credentials(configuration: Configuration) -> kopf.ConnectionInfo:
    """Return what kopf needs to reach the same server as the same user.

    Written out instead of kopf's automatic login, which picks whatever client library it finds and has been broken by a release
    of one before.
    """
    scheme, token = _bearer(configuration)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return kopf.ConnectionInfo(
            server=str(configuration.host),
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            username=configuration.username or None,
            password=configuration.password or None,
            scheme=scheme,
            token=token,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
        )


def watch_tls(configuration: Configuration) -> ssl.SSLContext:
    """Return how TLS is spoken with that server, as our own calls do.

    Whom it trusts is the same with every Python. From 3.13 on certificates are held by default to the letter of RFC 5280, and
    many a cluster's authority was made without the identifier of its key: nobody can change that for the sake of an operator.
    """
    context = kopf_credentials(configuration).as_ssl_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _bearer(configuration: Configuration) -> tuple[str | None, str | None]:
    hook = configuration.refresh_api_key_hook
    if hook is not None:
        hook(configuration)
    header = (configuration.api_key or {}).get("BearerToken")
    if not header:
        return None, None
    scheme, _, token = header.strip().partition(" ")
    return ("Bearer", token.strip()) if token else ("Bearer", scheme)
