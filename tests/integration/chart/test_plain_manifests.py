"""The manifests for those without Helm: made from the chart as it is now, and taken by the API server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kubernetes import client

from sark_e2e import plain_manifests
from sark_e2e.control_plane import ControlPlane
from sark_e2e.kubectl import KubectlError


@pytest.fixture(scope="module")
def made() -> dict[Path, str]:
    return plain_manifests.made()


def test_they_are_what_the_chart_makes(made: dict[Path, str]):
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run `make manifests`"


def test_nothing_in_them_is_for_helm(made: dict[Path, str]):
    for text in made.values():
        assert "helm.sh/" not in text
        assert "Helm" not in text.partition("\n")[2]


def test_a_fleet_that_kubectl_would_put_elsewhere_without_its_right_is_refused(
    control_plane: ControlPlane, namespace: str, api: client.ApiClient
):
    # Given a user who names the namespace to kubectl, which moves no subject
    folder = plain_manifests.FOLDER / "fleet"

    # When the manifests are applied, then kubectl says that they are of another namespace, and nothing is there
    for arguments in (("-k", str(folder)), ("-f", str(folder / "fleet.yaml"))):
        with pytest.raises(KubectlError, match='"default" does not match the namespace'):
            control_plane.kubectl("-n", namespace, "apply", *arguments)
    assert client.RbacAuthorizationV1Api(api).list_namespaced_role_binding(namespace).items == []


@pytest.mark.parametrize("folder", ["install", "fleet"])
def test_the_api_server_takes_what_kustomize_makes_of_them(
    folder: str, made: dict[Path, str], control_plane: ControlPlane, namespace: str, tmp_path: Path
):
    # Given an overlay as a user writes it, outside the project
    for path, text in made.items():
        base = tmp_path / path.parent.name
        base.mkdir()
        (base / path.name).write_text(text, encoding="utf-8")
        (base / "kustomization.yaml").write_bytes((path.parent / "kustomization.yaml").read_bytes())
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [f"../{folder}"],
        "images": [{"name": "registry.example/sark-operator", "newName": "mine.example/sark", "newTag": "9"}],
    }
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")

    # When it is built
    objects = control_plane.kubectl("kustomize", str(tmp_path / "overlay"))

    # Then the API server takes all of it, in the overlay's namespace and with its image
    listed = [each for each in yaml.safe_load_all(objects) if each["kind"] != "Namespace"]
    taken = control_plane.kubectl(
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
        stdin=yaml.safe_dump_all(listed),
    )
    assert taken.count("serverside-applied") == len(listed)
    subjects = [subject for each in listed for subject in each.get("subjects", [])]
    assert {subject["namespace"] for subject in subjects} == {namespace}
    images = [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in listed if each["kind"] == "Deployment"]
    assert images == (["mine.example/sark:9"] if folder == "install" else [])
