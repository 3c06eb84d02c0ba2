"""What is in the images as they run: exactly what their lists of parts say, nothing that builds, no root."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sark_e2e.pods.application import NAMESPACE, SIDECAR
from sark_e2e.pods.release import NAMESPACE as RELEASE_NAMESPACE
from sark_e2e.pods.stage import Stage

LOOK = """
import importlib.metadata, importlib.util, json, os, shutil, subprocess
try:
    open("/written", "w").close()
    written = True
except OSError:
    written = False
shown = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\\n"]
print(json.dumps({
    "listed": json.load(open("/usr/share/doc/sark/sbom.cdx.json")),
    "installed": sorted(each.metadata["Name"] + " " + each.version for each in importlib.metadata.distributions()),
    "base": subprocess.run(shown, capture_output=True, text=True).stdout.splitlines() if shutil.which("dpkg-query") else [],
    "builders": [each for each in ("cargo", "cc", "gcc", "make", "rustc") if shutil.which(each)],
    "pip": importlib.util.find_spec("pip") is not None,
    "user": os.getuid(),
    "written": written,
}))
"""


@pytest.mark.parametrize("image", ["operator", "sidecar"])
def test_an_image_holds_what_its_list_says(stage: Stage, image: str):
    # Given a running container of it
    place = {
        "operator": (stage.release.pods()[0], "-n", RELEASE_NAMESPACE, "-c", "operator"),
        "sidecar": (stage.pods()[0], "-n", NAMESPACE, "-c", SIDECAR),
    }[image]

    # When one looks around in it
    found: dict[str, Any] = json.loads(stage.kubectl("exec", *place, "--", "python3", "-c", LOOK, seconds=90))

    # Then the list names what is installed, in its version, and nothing else
    assert found["listed"]["metadata"]["component"]["name"] == f"sark-{image}"
    parts = found["listed"]["components"]
    python = [each for each in parts if each["bom-ref"] == f"{each['name']}=={each['version']}"]
    base = [each for each in parts if each.get("purl", "").startswith("pkg:deb/")]
    assert sorted(f"{each['name']} {each['version']}" for each in python) == found["installed"]
    assert sorted(f"{each['name']} {each['version']}" for each in base) == sorted(found["base"])
    crates = {part["name"] for each in parts if each["name"] == "sark-engine" for part in each.get("components", [])}
    assert ("regorus" in crates) is (image == "sidecar")

    # And nothing in it builds, and nobody in it is root or writes to its root
    assert (found["builders"], found["pip"], found["user"], found["written"]) == ([], False, 65532, False)
