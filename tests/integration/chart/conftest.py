"""Values a user would write, and what helm makes of them."""

from __future__ import annotations

from typing import Any, Final

IMAGE: Final = {"repository": "registry.example/sark-operator"}

DEFAULT: Final[dict[str, Any]] = {"image": IMAGE}
NAMESPACED: Final[dict[str, Any]] = {
    "image": IMAGE | {"digest": "sha256:" + "a" * 64},
    "namespaces": ["shop", "billing"],
    "replicas": 1,
    "fleets": [
        {"namespace": "shop", "flagsConfigMap": "gateway-flags", "serviceAccounts": ["gateway", "tools"]},
        {"namespace": "billing", "flagsConfigMap": "ledger-flags"},
    ],
    "alertReceiver": {"tokenSecret": "sark-alerts", "from": [{"podSelector": {"matchLabels": {"app": "alertmanager"}}}]},
    "page": {"enabled": True, "tokenSecret": "sark-page", "from": [{"podSelector": {"matchLabels": {"app": "ingress"}}}]},
    "prometheusRule": {"enabled": True, "labels": {"release": "monitoring"}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "monitoring"}},
    "podMonitor": {"enabled": True, "interval": "5s", "labels": {"release": "monitoring"}},
    "networkPolicy": {
        "prometheusPorts": [9090, 9091],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    },
}
CLUSTER_WIDE: Final[dict[str, Any]] = {
    "image": IMAGE | {"tag": "edge", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "clusterWide": True,
    "replicas": 3,
    "lease": {"name": "rollouts", "seconds": 30},
    "serviceAccount": {"create": False, "name": "given"},
    "podAnnotations": {"example.com/team": "access"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "control-plane", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "In", "values": ["system"]}]}]
            }
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "operator"}},
                    "topologyKey": "kubernetes.io/hostname",
                }
            ]
        },
    },
    "prometheus": {"configSecret": "sark-prometheus"},
    "sidecars": {"configSecret": "sark-sidecars"},
    "notifications": {"urlsSecret": "sark-notifications"},
    "page": {"enabled": True, "port": 9000, "proxy": {"userHeader": "X-Forwarded-User", "networks": ["10.1.0.0/16"]}},
    "networkPolicy": {"enabled": False},
    "restoreOnUninstall": {"enabled": True, "timeoutSeconds": 60},
}
VALUES: Final = {"default": DEFAULT, "namespaced": NAMESPACED, "cluster-wide": CLUSTER_WIDE}
