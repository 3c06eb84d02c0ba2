"""The reference of the configuration: `python -m sark_sidecar.settings_page` prints docs/reference/sidecar-settings.md."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from .seconds import format_seconds
from .settings import ENVIRONMENT_PREFIX, Settings

_HEAD = """\
# The sidecar's settings: every key

Made by `make crds` from the models that read them. [The sidecar](../sidecar.md) says what they do together.

Write them into the YAML file that `--config` or `SARK_SIDECAR_CONFIG` names, or into the environment, which wins: each key is
given with its variable. There a list or a map is written as JSON. A duration carries its unit, as in `250ms`, `10s`, `5m` or
`1h30m`. A key that is not here is refused with the nearest one that is; so is a value out of range. `sark-sidecar --check`
tells without starting anything.
"""

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class _Key:
    """One setting, with what both JSON schemas say of it: as it is read, and as it is written."""

    path: str
    read: Schema
    written: Schema
    default: object
    meaning: str

    @property
    def variable(self) -> str:
        """The environment variable, empty for a member of a list or of a map, which stands in its parent's."""
        return "" if {"[", "<"} & set(self.path) else ENVIRONMENT_PREFIX + self.path.upper().replace(".", "__")

    @property
    def is_duration(self) -> bool:
        """A duration is a number of seconds in the code, and text with a unit wherever people see it."""
        return _one(self.read).get("type") == "number" and _one(self.written).get("type") == "string"


class _Page:
    """The models, and the schemas that pydantic makes of them."""

    def __init__(self) -> None:
        self._read = Settings.model_json_schema(mode="validation")
        self._written = Settings.model_json_schema(mode="serialization")

    def render(self) -> str:
        """Return the page as Markdown."""
        parts = [_HEAD]
        for name, field in Settings.model_fields.items():
            model = _models(field.annotation)[0]
            parts.append(f"\n## `{name}`\n\n{_escaped(inspect.getdoc(model) or '')}\n")
            parts += [self._entry(key) for key in self._keys(name, model)]
        return "".join(parts)

    def _keys(self, path: str, model: type[BaseModel]) -> Iterator[_Key]:
        meanings = _docstrings(model)
        for name, field in model.model_fields.items():
            inner = _models(field.annotation)
            key = f"{path}.{name}"
            if inner and field.annotation is inner[0]:
                yield from self._keys(key, inner[0])
                continue
            if name not in meanings:
                raise ValueError(f"{model.__name__}.{name} ({key}) has no docstring: write below the field what it means")
            read, written = (top["$defs"][model.__name__]["properties"][name] for top in (self._read, self._written))
            yield _Key(key, read, written, field.default, meanings[name])
            for member in inner:
                yield from self._keys(f"{key}.<name>" if _one(read).get("type") == "object" else f"{key}[]", member)

    def _entry(self, key: _Key) -> str:
        facts = [f"`{key.variable}`"] if key.variable else []
        facts.append("duration" if key.is_duration else self._type(key.read))
        facts.append("required" if key.default is PydanticUndefined else f"default {_default(key)}")
        facts += _bounds(_one(key.read), key)
        return f"\n### `{key.path}`\n\n{'; '.join(facts)}\n\n{_escaped(key.meaning)}\n"

    def _type(self, schema: Schema) -> str:
        schema = _one(schema)
        if "$ref" in schema:
            return self._type(self._read["$defs"][schema["$ref"].rsplit("/", 1)[1]])
        if "enum" in schema:
            return "one of " + ", ".join(f"`{value}`" if value else "empty" for value in schema["enum"])
        kind = schema.get("type", "any value")
        if kind == "array":
            return f"list of {self._type(schema['items'])}s"
        if kind == "object":
            return "map" if "additionalProperties" in schema else "object"
        return {"password": "secret", "path": "path"}.get(schema.get("format", ""), str(kind))


def render() -> str:
    """Return the page as Markdown.

    Raises:
        ValueError: a setting has no docstring, so nobody would learn what it means.
    """
    return _Page().render()


def _one(schema: Schema) -> Schema:
    """Return the schema, of something that may be null that of the something."""
    return next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the model that `annotation` is or holds."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models(argument)]


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return what stands below each field, those of the classes it is made of included."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if not issubclass(one, BaseModel) or one.__module__.startswith("pydantic"):
            continue
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(definition, ast.ClassDef)  # noqa: S101 - it is the source of a class
        for statement, below in zip(definition.body, definition.body[1:], strict=False):
            match statement, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    found[name] = inspect.cleandoc(text).replace("\n", " ")
    return found


def _default(key: _Key) -> str:
    value = key.default.get_secret_value() if isinstance(key.default, SecretStr) else key.default
    if value is None:
        return "none"
    if value in ("", (), {}):
        return "empty"
    if key.is_duration and isinstance(value, int | float):
        return f"`{format_seconds(value)}`"
    if key.path.endswith("_mode") and isinstance(value, int):
        return f'`"{value:04o}"`'
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _bounds(schema: Schema, key: _Key) -> Iterator[str]:
    spelled = format_seconds if key.is_duration else "{:,}".format
    for keyword, words in (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most")):
        if keyword in schema:
            yield f"{words} {spelled(schema[keyword])}"
    for keyword, what in (("maxLength", "characters"), ("maxItems", "entries"), ("maxProperties", "entries")):
        if keyword in schema:
            yield f"at most {schema[keyword]:,} {what}"


def _escaped(text: str) -> str:
    """Return a sentence so that Markdown shows it as it is."""
    return text.replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(render())
