"""The operator's configuration: flags, each with an environment variable behind it.

A flag wins over its variable; the variable wins over the default. `--namespace` becomes `SARK_OPERATOR_NAMESPACE`, and so on.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from uuid import uuid4

_PREFIX = "SARK_OPERATOR_"
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_DNS_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
_HEADER = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,63}$")
_MIN_LEASE_SECONDS = 6
_MAX_LEASE_SECONDS = 300
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Where the page to look at is served, and who may look. At least one of token and header is there."""

    address: Address
    token_file: Path | None
    """File with the token; it is read for each request."""
    user_header: str
    """Header in which a reverse proxy names whom it has let in; empty means that no proxy is believed."""
    proxies: tuple[IPv4Network | IPv6Network, ...]
    """Where a proxy's connections come from: that one's, or of one that lets nobody in by itself."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one operator process is told at its start."""

    namespaces: tuple[str, ...]
    """Namespaces it serves; empty means the whole cluster."""
    kubeconfig: str
    """Path of a kubeconfig file; empty means the service account of the pod it runs in."""
    context: str
    """Context in the kubeconfig; empty means its current one."""
    probe_address: Address
    """Where /healthz, /readyz and /metrics are served."""
    alert_address: Address | None
    """Where Alertmanager may send notifications; None serves no such port."""
    alert_token_file: Path | None
    """File with the bearer token it must send."""
    identity: str
    """Who holds the Lease, unique per process."""
    lease_namespace: str
    lease_name: str
    lease_seconds: int
    """How long the Lease lasts without renewal. It is renewed every third of it."""
    prometheus_config: str
    """Path of the file that says which credentials belong to which Prometheus; empty means none."""
    sidecar_config: str
    """Path of the file that says how the sidecars' admin ports are spoken to; empty means in plain HTTP, without a token."""
    notify_file: str
    """Path of the file with Apprise URLs to tell of transitions; empty means nobody."""
    log_format: str
    """json or console."""
    log_level: str
    """debug, info, warning or error."""
    page: PageSettings | None = None
    """The page to look at; None serves none."""

    @property
    def cluster_wide(self) -> bool:
        """Whether every namespace is served."""
        return not self.namespaces


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in `arguments`, with `environment` (the process's own by default) behind them.

    Bad arguments end the process with status 2 and one sentence, as argparse does.
    """
    variables = os.environ if environment is None else environment
    parser = _parser(variables)
    options = parser.parse_args(arguments)
    if options.all_namespaces and options.namespace:
        parser.error("give either --namespace or --all-namespaces, not both")
    namespaces = () if options.all_namespaces else _namespaces(parser, options.namespace, variables)
    if not namespaces and not options.all_namespaces:
        parser.error("say which namespaces to serve: --namespace NAME (may be repeated) or --all-namespaces")
    return Settings(
        namespaces=namespaces,
        kubeconfig=options.kubeconfig,
        context=options.context,
        probe_address=_address(parser, "--probe-address", options.probe_address),
        alert_address=_alert_address(parser, options),
        alert_token_file=Path(options.alert_token_file) if options.alert_token_file else None,
        identity=options.identity or f"{socket.gethostname()}_{uuid4().hex[:8]}",
        lease_namespace=_checked(
            parser, "--lease-namespace", _lease_namespace(options.lease_namespace, namespaces), _DNS_LABEL
        ),
        lease_name=_checked(parser, "--lease-name", options.lease_name, _DNS_NAME),
        lease_seconds=_lease_seconds(parser, options.lease_seconds),
        prometheus_config=options.prometheus_config,
        sidecar_config=options.sidecar_config,
        notify_file=options.notify_file,
        log_format=options.log_format,
        log_level=options.log_level,
        page=_page(parser, options, variables),
    )


def _parser(variables: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sark-operator",
        description="Moves authorization fleets from the Python arm to the Rust arm in proven stages, and goes back by itself.",
        epilog="Every flag has an environment variable: --probe-address is SARK_OPERATOR_PROBE_ADDRESS.",
    )

    def default(name: str, fallback: str) -> str:
        return variables.get(_PREFIX + name, fallback)

    parser.add_argument(
        "-n",
        "--namespace",
        action="append",
        default=[],
        metavar="NAME",
        help="serve this namespace; may be repeated (as a variable: names separated by commas)",
    )
    parser.add_argument(
        "-A",
        "--all-namespaces",
        action="store_true",
        default=default("ALL_NAMESPACES", "").lower() in {"1", "true", "yes"},
        help="serve every namespace; needs a ClusterRole",
    )
    parser.add_argument(
        "--kubeconfig",
        default=default("KUBECONFIG", variables.get("KUBECONFIG", "")),
        metavar="FILE",
        help="how to reach the API server (default: $KUBECONFIG, else the pod's service account)",
    )
    parser.add_argument(
        "--context", default=default("CONTEXT", ""), help="context in the kubeconfig (default: its current one)"
    )
    parser.add_argument(
        "--probe-address",
        default=default("PROBE_ADDRESS", "0.0.0.0:8080"),
        metavar="HOST:PORT",
        help="where /healthz, /readyz and /metrics are served (default: %(default)s)",
    )
    parser.add_argument(
        "--alert-address",
        default=default("ALERT_ADDRESS", ""),
        metavar="HOST:PORT",
        help="where Alertmanager may send notifications, which wake the rollouts concerned (default: nowhere)",
    )
    parser.add_argument(
        "--alert-token-file",
        default=default("ALERT_TOKEN_FILE", ""),
        metavar="FILE",
        help="file with the bearer token Alertmanager must send; needed with --alert-address",
    )
    _add_page(parser, default)
    parser.add_argument(
        "--identity", default=default("IDENTITY", ""), help="name in the Lease (default: host name and a random part)"
    )
    parser.add_argument(
        "--lease-namespace",
        default=default("LEASE_NAMESPACE", ""),
        metavar="NAME",
        help="namespace of the Lease (default: the pod's own, else the first served, else default)",
    )
    parser.add_argument("--lease-name", default=default("LEASE_NAME", "sark-operator"), metavar="NAME")
    parser.add_argument(
        "--lease-seconds",
        default=default("LEASE_SECONDS", "15"),
        metavar="SECONDS",
        help="how long the Lease lasts without renewal (default: %(default)s)",
    )
    parser.add_argument(
        "--prometheus-config",
        default=default("PROMETHEUS_CONFIG", ""),
        metavar="FILE",
        help="YAML file: which credentials, authorities and tenants belong to which Prometheus (default: none)",
    )
    parser.add_argument(
        "--sidecar-config",
        default=default("SIDECAR_CONFIG", ""),
        metavar="FILE",
        help="YAML file: authorities and tokens for the sidecars' admin ports, by namespace (default: plain HTTP, no token)",
    )
    parser.add_argument(
        "--notify-file",
        default=default("NOTIFY_FILE", ""),
        metavar="FILE",
        help="Apprise URLs, one a line, that are told of every transition; a mounted Secret (default: none)",
    )
    parser.add_argument("--log-format", choices=("json", "console"), default=default("LOG_FORMAT", "json"))
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default=default("LOG_LEVEL", "info"))
    return parser


def _add_page(parser: argparse.ArgumentParser, default: Callable[[str, str], str]) -> None:
    parser.add_argument(
        "--page-address",
        default=default("PAGE_ADDRESS", ""),
        metavar="HOST:PORT",
        help="where the page to look at is served (default: nowhere); needs --page-token-file, --page-user-header, or both",
    )
    parser.add_argument(
        "--page-token-file",
        default=default("PAGE_TOKEN_FILE", ""),
        metavar="FILE",
        help="file with the token that lets in: in the login form, or as a bearer token",
    )
    parser.add_argument(
        "--page-user-header",
        default=default("PAGE_USER_HEADER", ""),
        metavar="NAME",
        help="header in which an authenticating reverse proxy names whom it lets in, as in X-Forwarded-User",
    )
    parser.add_argument(
        "--page-proxy",
        action="append",
        default=[],
        metavar="NETWORK",
        help="where a reverse proxy connects from, as in 10.1.0.0/16; may be repeated, needed with --page-user-header",
    )


def _page(parser: argparse.ArgumentParser, options: argparse.Namespace, variables: Mapping[str, str]) -> PageSettings | None:
    proxies = options.page_proxy or [
        each.strip() for each in variables.get(_PREFIX + "PAGE_PROXY", "").split(",") if each.strip()
    ]
    if not options.page_address:
        if options.page_token_file or options.page_user_header or proxies:
            parser.error("--page-token-file, --page-user-header and --page-proxy mean nothing without --page-address")
        return None
    if not options.page_token_file and not options.page_user_header:
        parser.error("give --page-token-file or --page-user-header with --page-address: the page is shown to nobody unknown")
    if options.page_user_header and not proxies:
        parser.error("give --page-proxy with --page-user-header: a header is believed only from the proxy")
    if options.page_user_header and _HEADER.fullmatch(options.page_user_header) is None:
        parser.error(f"--page-user-header {options.page_user_header!r} is not a header's name: write X-Forwarded-User")
    return PageSettings(
        address=_address(parser, "--page-address", options.page_address),
        token_file=Path(options.page_token_file) if options.page_token_file else None,
        user_header=options.page_user_header,
        proxies=tuple(_network(parser, text) for text in proxies),
    )


def _network(parser: argparse.ArgumentParser, text: str) -> IPv4Network | IPv6Network:
    try:
        # 10.1.2.3/16 is the network that holds the address, as it is for other proxies and for Kubernetes.
        return ip_network(text, strict=False)
    except ValueError:
        parser.error(f"--page-proxy {text!r} is not a network: write it as in 10.1.0.0/16, or 10.1.2.3/32 for one address")


def _namespaces(parser: argparse.ArgumentParser, given: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    names = list(given) or [name.strip() for name in variables.get(_PREFIX + "NAMESPACE", "").split(",") if name.strip()]
    return tuple(dict.fromkeys(_checked(parser, "--namespace", name, _DNS_LABEL) for name in names))


def _lease_namespace(given: str, namespaces: Sequence[str]) -> str:
    if given:
        return given
    if _NAMESPACE_FILE.is_file():
        return _NAMESPACE_FILE.read_text().strip()
    return namespaces[0] if namespaces else "default"


def _checked(parser: argparse.ArgumentParser, flag: str, value: str, pattern: re.Pattern[str]) -> str:
    if pattern.fullmatch(value) is None:
        parser.error(f"{flag} {value!r} is not a name: write lower-case letters, digits and hyphens, as in sark-system")
    return value


def _alert_address(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Address | None:
    if bool(options.alert_address) != bool(options.alert_token_file):
        parser.error(
            "give --alert-address and --alert-token-file together, or neither: that port serves nobody without a token"
        )
    return _address(parser, "--alert-address", options.alert_address) if options.alert_address else None


def _address(parser: argparse.ArgumentParser, flag: str, text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not _is_number(port) or int(port) > _MAX_PORT:
        parser.error(f"{flag} {text!r} is not an address: write HOST:PORT, as in 0.0.0.0:8080")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - ":8080" means every address, as it does elsewhere


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9  # noqa: PLR2004 - more than any number asked for here


def _lease_seconds(parser: argparse.ArgumentParser, text: str) -> int:
    if not _is_number(text) or not _MIN_LEASE_SECONDS <= int(text) <= _MAX_LEASE_SECONDS:
        parser.error(
            f"--lease-seconds {text!r}: write whole seconds from {_MIN_LEASE_SECONDS} to {_MAX_LEASE_SECONDS}, as in 15"
        )
    return int(text)
