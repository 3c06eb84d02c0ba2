"""Files that tell a Kubernetes client where the API server is and who it speaks for."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml


def with_certificate(
    path: Path, *, server: str, authority: Path, certificate: Path, key: Path, namespace: str = "default"
) -> Path:
    """Write to `path` a kubeconfig that authenticates by client certificate, and return the path."""
    user = {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)}
    return _write(path, server=server, authority=authority, user=user, namespace=namespace)


def with_token(path: Path, *, server: str, authority: Path, token: str, namespace: str) -> Path:
    """Write to `path` a kubeconfig that authenticates by bearer token, and return the path."""
    return _write(path, server=server, authority=authority, user={"token": token}, namespace=namespace)


def _write(path: Path, *, server: str, authority: Path, user: dict[str, str], namespace: str) -> Path:
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "local", "cluster": {"server": server, "certificate-authority-data": _encoded(authority)}},
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "user", "namespace": namespace}}],
        "current-context": "local",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
