"""YAML that means the same everywhere: the JSON types in YAML's clothes.

YAML readers disagree about plain `yes`, `012`, `1_000` or `2026-01-01`. Policy data decides who may do what, so a scalar that
two readers could take for different things is refused with the advice to quote it.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from sark_api.yaml_problem import yaml_problem
from sark_sidecar.exact_json import loads_unique

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_CONSTANTS: dict[str, object] = {"null": None, "~": None, "": None, "true": True, "false": False}
_DISPUTED = re.compile(
    r"(?i)(?:y|n|yes|no|on|off|null|true|false|\.nan|[-+]?\.inf|<<|=|[-+]?(?:0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*(?::[0-9_.]+)*"
    r"|[0-9][0-9_]*\.[0-9_]*(?:e[-+]?[0-9]+)?|[0-9][0-9_]*e[-+]?[0-9]+|\.[0-9][0-9_]*(?:e[-+]?[0-9]+)?)|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)\Z"
)


class PlainYamlError(ValueError):
    """The text is not YAML that means the same everywhere; the message says where and what to write."""


def load_plain_yaml(text: str) -> Any:
    """Return the document in `text` as JSON types.

    Raises:
        PlainYamlError: it is not YAML, has an alias, a tag, a key twice, a key that is not text, or a disputed scalar.
    """
    try:
        return _load(text)
    except yaml.YAMLError as error:
        # From None: no stack may show the reader's own text, which quotes the file.
        raise PlainYamlError(yaml_problem(error)) from None
    except PlainYamlError:
        raise
    except RecursionError as error:
        raise PlainYamlError("it nests too deeply") from error
    except Exception as error:  # noqa: BLE001 - whatever it is, the file is refused
        # The scanner hands on what Python says to an escape that names no character, and what else is not for us to list.
        raise PlainYamlError(f"it is not YAML: {type(error).__name__}") from None


def _load(text: str) -> Any:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise PlainYamlError(f"{_at(event)}: aliases (*name) are not accepted; write the value out")
        if getattr(event, "tag", None) is not None:
            raise PlainYamlError(f"{_at(event)}: tags (!name) are not accepted")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return None if node is None else _value(node)


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - YAML has no fourth kind
    return _scalar(node)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise PlainYamlError(f"{_at(key_node)}: a key must be text; write it in quotes")
        if key in members:
            raise PlainYamlError(f"{_at(key_node)}: the key {key!r} appears twice")
        members[key] = _value(value_node)
    return members


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style is not None:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NUMBER.match(text):
        return loads_unique(text)
    if _DISPUTED.match(text):
        raise PlainYamlError(
            f"{_at(node)}: YAML readers disagree about this value; quote it if it is text, else write it as in JSON"
        )
    return text


def _at(node: yaml.Node | yaml.Event) -> str:
    return f"line {node.start_mark.line + 1}" if node.start_mark is not None else "somewhere"
