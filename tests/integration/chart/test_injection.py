"""The admission policy of manifests/injection: what the real API server makes of a pod is what docs/install.md says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_e2e.control_plane import ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.installation_page import example

MANIFEST = Path(__file__).parents[3] / "manifests" / "injection" / "policy.yaml"
INJECTED = {"sark.dev/inject": "true"}


@pytest.fixture
def injecting(namespace: str, api: client.ApiClient, control_plane: ControlPlane) -> Iterator[str]:
    """A namespace in which the policy is known to be in force."""
    control_plane.kubectl("apply", "--server-side", "-f", str(MANIFEST))
    core = client.CoreV1Api(api)
    core.patch_namespace(namespace, {"metadata": {"labels": {"sark.dev/inject": "enabled"}}})
    eventually(lambda: _refusal(api, namespace) != "", what="the policy to be in force", seconds=60)
    yield namespace
    control_plane.kubectl("delete", "-f", str(MANIFEST))


def _pod(labels: dict[str, str], **more: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "gateway", "image": "registry.example/gateway:1"}], **more}
    return {"metadata": {"name": "gateway", "labels": labels}, "spec": spec}


def _created(api: client.ApiClient, namespace: str, pod: dict[str, Any]) -> dict[str, Any]:
    made: Any = client.CoreV1Api(api).create_namespaced_pod(namespace, pod, dry_run="All")
    body: dict[str, Any] = api.sanitize_for_serialization(made)
    return body


def _refusal(api: client.ApiClient, namespace: str) -> str:
    try:
        _created(api, namespace, _pod(INJECTED))
    except ApiException as error:
        return str(error.body)
    return ""


def _name_the_rest(api: client.ApiClient, namespace: str) -> None:
    page = example("spec")["spec"]["template"]["spec"]
    sources = {each["name"]: each.get("configMap", {}).get("name") for each in page["volumes"]}
    data = {
        "image": page["initContainers"][0]["image"],
        "configuration": sources["sark-config"],
        "policies": sources["sark-policies"],
    }
    client.CoreV1Api(api).create_namespaced_config_map(namespace, {"metadata": {"name": "sark-injection"}, "data": data})
    eventually(lambda: _refusal(api, namespace) == "", what="the parameters to be seen", seconds=60)


def test_a_pod_that_asks_for_it_gets_the_pages_sidecar(injecting: str, api: client.ApiClient):
    # Given what the namespace says of its fleet
    _name_the_rest(api, injecting)

    # When a pod is created that has an init container of its own
    made = _created(api, injecting, _pod(INJECTED, initContainers=[{"name": "first", "image": "registry.example/first:1"}]))

    # Then it has the sidecar of the page before it, with the page's volumes and annotations
    page = example("spec")["spec"]["template"]
    sidecar, first = made["spec"]["initContainers"]
    assert first["name"] == "first"
    [wanted] = page["spec"]["initContainers"]
    assert _holds(sidecar, wanted)
    assert _holds({each["name"]: each for each in made["spec"]["volumes"]}, {v["name"]: v for v in page["spec"]["volumes"]})
    assert _holds(made["metadata"]["annotations"], page["metadata"]["annotations"])


@pytest.mark.parametrize(
    "own",
    [
        {"prometheus.io/scrape": "true", "prometheus.io/port": "9100", "prometheus.io/path": "/stats"},
        {"prometheus.io/port": "9100"},
        {"prometheus.io/scrape": "false"},
        {"prometheus.io/path": "/stats"},
    ],
    ids=lambda own: "+".join(each.partition("/")[2] for each in own),
)
def test_what_an_application_says_of_its_own_metrics_stays(own: dict[str, str], injecting: str, api: client.ApiClient):
    # Given a pod whose application is scraped, or not, by its own annotations
    _name_the_rest(api, injecting)
    pod = _pod(INJECTED)
    pod["metadata"]["annotations"] = own | {"example.com/team": "access"}

    # When it is created, then it has its sidecar, and the annotations it had
    made = _created(api, injecting, pod)
    assert [each["name"] for each in made["spec"]["initContainers"]] == ["sark"]
    assert made["metadata"]["annotations"] == own | {"example.com/team": "access"}


def test_annotations_of_something_else_are_kept_beside_ours(injecting: str, api: client.ApiClient):
    _name_the_rest(api, injecting)
    pod = _pod(INJECTED)
    pod["metadata"]["annotations"] = {"example.com/team": "access"}
    made = _created(api, injecting, pod)["metadata"]["annotations"]
    assert made == example("spec")["spec"]["template"]["metadata"]["annotations"] | {"example.com/team": "access"}


def test_others_and_those_that_have_one_are_left_alone(injecting: str, api: client.ApiClient):
    _name_the_rest(api, injecting)
    assert "initContainers" not in _created(api, injecting, _pod({}))["spec"]
    own = {"name": "sark", "image": "registry.example/own:1", "restartPolicy": "Always"}
    [sidecar] = _created(api, injecting, _pod(INJECTED, initContainers=[own]))["spec"]["initContainers"]
    assert sidecar["image"] == own["image"]


def test_without_the_namespaces_part_no_pod_starts_without_its_sidecar(injecting: str, api: client.ApiClient):
    assert "sark" in _refusal(api, injecting)


def _holds(made: Any, wanted: Any) -> bool:
    """Return whether `made` has all of `wanted`; the API server adds its defaults."""
    if isinstance(wanted, dict):
        return all(name in made and _holds(made[name], value) for name, value in wanted.items())
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        mounted = [each for each in made if not str(each.get("mountPath", "")).startswith("/var/run/secrets")]
        return len(mounted) == len(wanted) and all(map(_holds, mounted, wanted))
    return bool(made == wanted)
