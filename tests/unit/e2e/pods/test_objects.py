"""What `make e2e` applies is what users read: the sidecar of the page's Deployment, with other names."""

from __future__ import annotations

from pathlib import Path

import yaml

from sark_e2e.installation_page import example
from sark_e2e.pods import application, servers
from sark_e2e.pods.archives import Archive, Archives, noted

ARCHIVES = Archives(*(Archive(f"localhost/{name}:1", Path(f"{name}.tar")) for name in ("operator", "sidecar", "parts")))


def test_the_sidecar_is_the_pages_but_for_its_image():
    [gateway] = [each for each in application.gateway(ARCHIVES, opa="o:1", redis="r:2") if each["kind"] == "Deployment"]
    [ours] = gateway["spec"]["template"]["spec"]["initContainers"]
    [theirs] = example("spec")["spec"]["template"]["spec"]["initContainers"]
    assert ours.pop("image") == "localhost/sidecar:1"
    theirs.pop("image")
    assert ours == theirs
    assert ours["restartPolicy"] == "Always"
    assert gateway["spec"]["replicas"] == 4


def test_the_configuration_is_the_pages_but_for_addresses_and_the_faults():
    [made] = [e for e in application.gateway(ARCHIVES, opa="o:1", redis="r:2") if e["metadata"]["name"] == "gateway-sark"]
    ours, theirs = yaml.safe_load(made["data"]["sidecar.yaml"]), example("policies")
    assert ours["opa"].pop("url") == "http://o:1"
    assert ours["cache"].pop("redis_url") == "redis://r:2/0"
    assert ours.pop("fault_injection") == {"enabled": True, "file": "/var/lib/sark/faults.json"}
    theirs["opa"].pop("url")
    theirs["cache"].pop("redis_url")
    assert ours == theirs


def test_the_policies_keep_their_place_without_folders():
    assert set(servers.policies()) == {"gateway.rego", "data.json"}
    assert set(yaml.safe_load(servers.policies()["data.json"])) == {"mcp"}


def test_an_images_repository_and_tag():
    assert (ARCHIVES.operator.repository, ARCHIVES.operator.tag) == ("localhost/operator", "1")


def test_a_nest_is_told_which_images_were_made(tmp_path: Path):
    ARCHIVES.note(tmp_path)
    assert noted(tmp_path) == ARCHIVES
