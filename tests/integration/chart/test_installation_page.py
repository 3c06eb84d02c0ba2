"""The examples of docs/install.md: the API server takes the Deployment, the sidecar its configuration, helm the values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from sark_e2e import chart
from sark_sidecar.configuration import load_settings
from sark_sidecar.settings.flags import FlagMode

from .conftest import DEFAULT

PAGE = Path(__file__).parents[3] / "docs" / "install.md"


def test_the_api_server_takes_the_deployment(api: client.ApiClient, namespace: str):
    deployment = _example("kind") | {}
    deployment["metadata"] = {"name": "gateway"}
    client.AppsV1Api(api).create_namespaced_deployment(namespace, deployment, dry_run="All", field_validation="Strict")


def test_the_sidecar_takes_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Given the file, and what the Deployment puts into the environment (a pod's namespace is read from a file that is not here)
    file = tmp_path / "sidecar.yaml"
    file.write_text(yaml.safe_dump(_example("policies")), encoding="utf-8")
    [container] = _example("kind")["spec"]["template"]["spec"]["initContainers"]
    monkeypatch.setenv("SARK_SIDECAR_ADMIN__HOST", "10.1.2.3")
    monkeypatch.setenv("SARK_SIDECAR_FLAGS__NAMESPACE", "shop")

    # When it is read, then it says what the Deployment needs
    settings = load_settings(file)
    assert {each["name"] for each in container["env"]} == {"SARK_SIDECAR_ADMIN__HOST", "SARK_SIDECAR_CONFIG"}
    assert settings.flags.mode is FlagMode.WATCH
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert settings.policies.directory is not None
    assert settings.flags.state_file is not None
    assert {str(settings.policies.directory), str(settings.flags.state_file.parent)} <= mounts
    assert container["ports"] == [{"name": "sark-admin", "containerPort": settings.admin.port}]


def test_helm_takes_the_fleet(tmp_path: Path):
    made = chart.objects(chart.template(DEFAULT | _example("fleets"), tmp_path))
    [flags] = [each for each in made if each["kind"] == "ConfigMap"]
    assert flags["metadata"]["name"] == load_name("flags", "config_map")
    assert "data" not in flags


def load_name(section: str, key: str) -> str:
    return str(_example("policies")[section][key])


def _example(member: str) -> dict[str, Any]:
    """Return the one example of the page that has `member` at its top."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    [found] = [block for block in map(yaml.safe_load, blocks) if member in block]
    return dict(found)
