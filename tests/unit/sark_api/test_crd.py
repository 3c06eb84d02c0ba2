from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from sark_api.crd import manifest, render, schema
from sark_api.spec import BUILT_IN_CRITERIA
from sark_api.structural import UnsupportedSchemaError, structural

COMMITTED = Path(__file__).parents[3] / "crds" / "sarkrollouts.sark.dev.yaml"


def test_the_committed_manifest_is_the_one_the_models_give() -> None:
    assert COMMITTED.read_text() == render(), "run `make crds` and commit the result"


def test_every_field_is_described() -> None:
    bare = [path for path, node in walk(schema()["properties"]["spec"], "spec") if not node.get("description")]
    assert bare == []


def test_every_spec_field_with_a_default_names_it_in_its_description() -> None:
    silent = [
        path
        for path, node in walk(schema()["properties"]["spec"], "spec")
        if "default" in node and "default" not in node["description"].lower()
    ]
    assert silent == []


def test_the_names_of_all_built_in_criteria_are_taken() -> None:
    settings = {"window", "countingWindow", "falseRevertBasisPoints", "custom"}
    members = schema()["properties"]["spec"]["properties"]["criteria"]["properties"]
    assert set(BUILT_IN_CRITERIA) == set(members) - settings


def test_there_is_no_floating_point_number() -> None:
    assert [path for path, node in walk(schema(), "") if node.get("type") == "number"] == []


def test_everything_of_unknown_length_is_bounded_in_the_spec() -> None:
    # An unbounded string or list makes every CEL rule over it too expensive for the API server.
    unbounded = [
        path
        for path, node in walk(schema()["properties"]["spec"], "spec")
        if (node.get("type") == "string" and "enum" not in node and "maxLength" not in node)
        or (node.get("type") == "array" and "maxItems" not in node)
    ]
    assert unbounded == []


def test_the_columns_of_the_design_are_there_in_order() -> None:
    columns = manifest()["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [column["name"].upper() for column in columns if column["priority"] == 0]
    assert shown == ["PHASE", "TRAFFIC", "STEP", "BAKE", "VERDICT", "REPLICAS", "REASON", "AGE"]


def test_the_manifest_is_yaml_without_anchors() -> None:
    text = render()
    assert "&id" not in text
    assert yaml.safe_load(text) == manifest()


class Either(BaseModel):
    either: int | str


class Constant(BaseModel):
    ratio: float = 0.5
    model_config = {"json_schema_extra": {"if": {}}}


@pytest.mark.parametrize(("model", "complaint"), [(Either, "union of 2 types"), (Constant, "keyword 'if'")])
def test_what_has_no_structural_form_is_refused(model: type[BaseModel], complaint: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=complaint):
        structural(model.model_json_schema())


def walk(node: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
    """Every property below `node` with its path."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name, member in node.get("properties", {}).items():
        found += [(f"{path}.{name}", member), *walk(member, f"{path}.{name}")]
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            found += walk(node[keyword], f"{path}[]")
    return found


def test_an_optional_member_is_absent_from_the_default_of_its_parent() -> None:
    criteria = schema()["properties"]["spec"]["properties"]["criteria"]

    assert "countingWindow" in criteria["properties"]
    assert "countingWindow" not in criteria["default"]
