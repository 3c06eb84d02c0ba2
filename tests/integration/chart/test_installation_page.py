"""The examples of docs/install.md: the API server takes the Deployment, the sidecar its configuration, helm the values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kubernetes import client

from sark_e2e import chart
from sark_e2e.installation_page import example
from sark_sidecar.configuration import load_settings
from sark_sidecar.settings.flags import FlagMode

from .conftest import DEFAULT

SERVED = {"namespaces": [each["namespace"] for each in example("fleets")["fleets"]]}


def test_the_api_server_takes_the_deployment(api: client.ApiClient, namespace: str):
    deployment = example("spec") | {}
    deployment["metadata"] = {"name": "gateway"}
    client.AppsV1Api(api).create_namespaced_deployment(namespace, deployment, dry_run="All", field_validation="Strict")


def test_the_sidecar_takes_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Given the file, and what the Deployment puts into the environment (a pod's namespace is read from a file that is not here)
    file = tmp_path / "sidecar.yaml"
    file.write_text(yaml.safe_dump(example("policies")), encoding="utf-8")
    [container] = example("spec")["spec"]["template"]["spec"]["initContainers"]
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
    made = chart.objects(chart.template(DEFAULT | SERVED | example("fleets"), tmp_path))
    [flags] = [each for each in made if each["kind"] == "ConfigMap"]
    assert flags["metadata"]["name"] == load_name("flags", "config_map")
    assert "data" not in flags


def test_the_prometheus_operator_finds_the_sidecars_port(tmp_path: Path):
    # Given the page's fleet, to be scraped
    values = DEFAULT | SERVED | example("fleets") | {"podMonitor": {"enabled": True}}
    [monitor] = [each for each in chart.objects(chart.template(values, tmp_path)) if each["kind"] == "PodMonitor"]

    # Then it is looked for where the fleet is, at the port that the page's sidecar names
    assert monitor["metadata"]["namespace"] == example("fleets")["fleets"][0]["namespace"]
    [container] = example("spec")["spec"]["template"]["spec"]["initContainers"]
    assert [each["port"] for each in monitor["spec"]["podMetricsEndpoints"]] == [each["name"] for each in container["ports"]]


def load_name(section: str, key: str) -> str:
    return str(example("policies")[section][key])
