"""Writes the manifests for those without Helm, made from the chart: `make manifests`.

manifests/install has the operator for all namespaces, manifests/fleet what one fleet needs. Both are bases for kustomize too.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from . import chart
from .program import ROOT

NAMESPACE: Final = "sark-system"
FOLDER: Final = ROOT / "manifests"
_FLEET: Final = "default"
_IMAGE: Final = "registry.example/sark-operator"
_HEAD: Final = "# Made from the Helm chart by `make manifests`: change the chart.\n"
_BEFORE_DELETING: Final = """\
# Before you delete this run `kubectl delete sarkrollouts -A --all --wait`: the CRD is in it, and with the CRD goes every
# SarkRollout, whose finalizer nobody takes off once the operator is gone. Both would stay there, terminating, for ever.
"""
_ONE_NAMESPACE: Final = """\
# In the namespace default. For another one set `namespace` in an overlay for kustomize, which puts the subject of the
# RoleBinding there too; `kubectl --namespace` cannot, and is refused.
"""
_OF_HELM: Final = ("helm.sh/chart", "app.kubernetes.io/managed-by")


def made() -> dict[Path, str]:
    """Return the text of each file."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    fleet = {"namespace": _FLEET, "flagsConfigMap": "gateway-flags", "serviceAccounts": ["gateway"]}
    operator = [namespace, *_objects({"clusterWide": True})]
    # kustomize moves the subject of a binding to another namespace only when the account is there too.
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "gateway", "namespace": _FLEET}}
    rendered = _objects({"namespaces": [_FLEET], "fleets": [fleet]})
    # With their namespace: without one kubectl's --namespace would move all of it but the subject, and give the pods no right.
    flags = [each for each in rendered if each["metadata"]["name"].startswith("gateway-flags")]
    return {
        FOLDER / "install" / "install.yaml": _text(operator, _BEFORE_DELETING),
        FOLDER / "fleet" / "fleet.yaml": _text([account, *flags], _ONE_NAMESPACE),
    }


def _objects(values: dict[str, Any]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        text = chart.template({"image": {"repository": _IMAGE}, **values}, Path(folder), namespace=NAMESPACE, hooks=False)
    return [_without_helm(each) for each in chart.objects(text)]


def _without_helm(body: dict[str, Any]) -> dict[str, Any]:
    """Take off what helm alone reads."""
    metadata = body["metadata"]
    for each in (metadata, body.get("spec", {}).get("template", {}).get("metadata", {})):
        for name in _OF_HELM:
            each.get("labels", {}).pop(name, None)
    annotations = metadata.get("annotations", {})
    annotations.pop("helm.sh/resource-policy", None)
    if not annotations:
        metadata.pop("annotations", None)
    return body


def _text(objects: list[dict[str, Any]], said: str) -> str:
    return _HEAD + said + yaml.safe_dump_all(objects, sort_keys=False, width=120)


def main() -> None:
    """Write the files."""
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT), file=sys.stderr)


if __name__ == "__main__":
    main()
