"""The example gateway as docs/install.md has users write it: the sidecar is the page's snippet, but for names and addresses."""

from __future__ import annotations

from typing import Any, Final

import yaml

from sark_e2e.installation_page import example

from .archives import Archives
from .load import PORT as STATS_PORT
from .servers import PATIENT, SHARE, Object, config_map, deployment, service

NAMESPACE: Final = "shop"
NAME: Final = "gateway"
LABELS: Final = {"app": NAME}
FLAGS: Final = "gateway-flags"
SIDECAR: Final = "sark"
ADMIN_PORT: Final = 8182
PORT: Final = 8080
REPLICAS: Final = 4
FAULTS: Final = "/var/lib/sark/faults.json"


def gateway(archives: Archives, *, opa: str, redis: str) -> list[Object]:
    """Return the gateway's account, configuration, Deployment and Service; `opa` and `redis` are host:port."""
    sidecar = example("policies")
    sidecar["opa"]["url"] = f"http://{opa}"
    sidecar["cache"]["redis_url"] = f"redis://{redis}/0"
    # What makes the new arm bad on request; the file is written into the sidecar's own volume.
    sidecar["fault_injection"] = {"enabled": True, "file": FAULTS}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}}
    return [
        account,
        config_map(NAMESPACE, "gateway-sark", {"sidecar.yaml": yaml.safe_dump(sidecar, sort_keys=False)}),
        gateway_deployment(archives),
        service(NAMESPACE, NAME, PORT),
    ]


def gateway_deployment(archives: Archives, *, injected: bool = False) -> Object:
    """Return the gateway's Deployment; `injected` is without a sidecar, and asks for one to be given to its pods."""
    body = example("spec")
    body["spec"]["replicas"] = REPLICAS
    template: Any = body["spec"]["template"]
    pod: Any = template["spec"]
    [sidecar] = pod["initContainers"]
    sidecar["image"] = archives.sidecar.image
    [application] = pod["containers"]
    application |= {
        "image": archives.parts.image,
        "command": ["python3", "/opt/parts/gateway.py"],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, **PATIENT},
        "resources": SHARE,
        # Until every node has heard that the pod is no endpoint any more.
        "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        "securityContext": dict(sidecar["securityContext"]),
    }
    if injected:
        template["metadata"] = {"labels": {**LABELS, "sark.dev/inject": "true"}}
        del pod["initContainers"], pod["volumes"]
    return body


def injection(archives: Archives) -> Object:
    """Return what the admission policy of manifests/injection is told of the gateway's namespace."""
    volumes = example("spec")["spec"]["template"]["spec"]["volumes"]
    mounted = {each["name"]: each["configMap"]["name"] for each in volumes if "configMap" in each}
    told = {"image": archives.sidecar.image, "configuration": mounted["sark-config"], "policies": mounted["sark-policies"]}
    return config_map(NAMESPACE, "sark-injection", told)


def load(archives: Archives, *, target: str, rate: float) -> list[Object]:
    """Return a pod that calls the gateway at `target`, host:port, `rate` times a second."""
    container = {
        "image": archives.parts.image,
        "command": ["python3", "-m", "sark_e2e.pods.load"],
        "env": [{"name": "TARGET", "value": target}, {"name": "RATE", "value": str(rate)}],
        "ports": [{"containerPort": STATS_PORT}],
        "readinessProbe": {"httpGet": {"path": "/stats", "port": STATS_PORT}, **PATIENT},
        "resources": SHARE,
    }
    return [deployment(NAMESPACE, "load", container, volumes=[])]
