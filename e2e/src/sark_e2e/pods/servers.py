"""The servers around a fleet as objects of the API: Prometheus that finds pods by itself, OPA and Redis."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from sark_e2e.cluster import POLICIES
from sark_e2e.prometheus import RULES, relabeling

Object = dict[str, Any]

MONITORING: Final = "monitoring"
PROMETHEUS_PORT: Final = 9090
_USER: Final = 65532
PATIENT: Final = {"periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 12}
"""How a pod is probed on a machine that has much else to do."""
SHARE: Final = {"requests": {"cpu": "50m"}}
"""Without a request a container gets next to no processor as soon as others want it."""


def prometheus(image: str) -> list[Object]:
    """Return a Prometheus that scrapes every annotated pod each second, with the account it needs for that."""
    settings = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "pods", "kubernetes_sd_configs": [{"role": "pod"}], "relabel_configs": relabeling()}],
    }
    subject = {"kind": "ServiceAccount", "namespace": MONITORING, "name": "prometheus"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "prometheus"}
    volumes: dict[str, tuple[Object, str]] = {
        "config": ({"configMap": {"name": "prometheus"}}, "/etc/prometheus"),
        "data": ({"emptyDir": {}}, "/data"),
    }
    command = ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MONITORING}},
        _named("v1", "ServiceAccount", MONITORING, "prometheus"),
        {**_named("rbac.authorization.k8s.io/v1", "ClusterRole", "", "prometheus"), "rules": list(RULES)},
        {
            **_named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "prometheus"),
            "roleRef": role,
            "subjects": [subject],
        },
        config_map(MONITORING, "prometheus", {"prometheus.yml": yaml.safe_dump(settings, sort_keys=False)}),
        *_server(
            MONITORING, "prometheus", image, command, PROMETHEUS_PORT, volumes=volumes, ready="/-/ready", account="prometheus"
        ),
    ]


def opa(namespace: str, image: str) -> list[Object]:
    """Return OPA with the example's policies, and the ConfigMap with them that sidecars mount too."""
    volumes = {"policies": ({"configMap": {"name": "gateway-policies"}}, "/policies")}
    # A mounted ConfigMap has hidden folders besides its keys.
    command = ["opa", "run", "--server", "--addr=0.0.0.0:8181", "--skip-version-check", "--ignore=.*", "/policies"]
    return [
        config_map(namespace, "gateway-policies", policies()),
        *_server(namespace, "opa", image, command, 8181, volumes=volumes, ready="/health"),
    ]


def redis(namespace: str, image: str) -> list[Object]:
    """Return Redis as a cache that keeps nothing."""
    options = {"bind": "0.0.0.0", "protected-mode": "no", "save": "", "dir": "/tmp", "maxmemory": "64mb"}  # noqa: S108 - its own
    command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]
    return _server(namespace, "redis", image, [*command, "--maxmemory-policy", "allkeys-lru"], 6379)


def policies() -> dict[str, str]:
    """Return the example's policies as the keys of a ConfigMap, which has no folders: data is put where its folder would."""
    data = json.loads((POLICIES / "mcp" / "data.json").read_text(encoding="utf-8"))
    return {
        "gateway.rego": (POLICIES / "mcp" / "gateway.rego").read_text(encoding="utf-8"),
        "data.json": json.dumps({"mcp": data}),
    }


def config_map(namespace: str, name: str, data: dict[str, str]) -> Object:
    """Return a ConfigMap."""
    return {**_named("v1", "ConfigMap", namespace, name), "data": data}


def deployment(namespace: str, name: str, container: Object, *, volumes: list[Object], account: str = "default") -> Object:
    """Return a Deployment of one pod with one container."""
    labels = {"app": name}
    spec = {
        "serviceAccountName": account,
        "terminationGracePeriodSeconds": 2,
        "securityContext": {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER},
        "containers": [{"name": name, **container}],
        "volumes": volumes,
    }
    return {
        **_named("apps/v1", "Deployment", namespace, name),
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def service(namespace: str, name: str, port: int) -> Object:
    """Return a Service of the pods labelled `app: name`."""
    return {
        **_named("v1", "Service", namespace, name),
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": port}]},
    }


def _named(version: str, kind: str, namespace: str, name: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}


def _server(
    namespace: str,
    name: str,
    image: str,
    command: list[str],
    port: int,
    *,
    volumes: dict[str, tuple[Object, str]] | None = None,
    ready: str = "",
    account: str = "default",
) -> list[Object]:
    """Return a Deployment and its Service. `volumes` are source and path by name. Without the path `ready` TCP is tried."""
    probe: Object = {"httpGet": {"path": ready, "port": port}} if ready else {"tcpSocket": {"port": port}}
    container = {
        "image": image,
        "command": command,
        "ports": [{"containerPort": port}],
        "readinessProbe": {**probe, **PATIENT},
        "resources": SHARE,
        "volumeMounts": [{"name": each, "mountPath": path} for each, (_, path) in (volumes or {}).items()],
    }
    sources = [{"name": each, **source} for each, (source, _) in (volumes or {}).items()]
    return [deployment(namespace, name, container, volumes=sources, account=account), service(namespace, name, port)]
