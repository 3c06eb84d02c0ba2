"""Reading the configuration, and saying in one sentence what is wrong with it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from sark_api.yaml_problem import yaml_problem

from .settings import ENVIRONMENT_PREFIX, Settings

CONFIG_VARIABLE = f"{ENVIRONMENT_PREFIX}CONFIG"
_MAX_CONFIG_BYTES = 262_144
_MOST_SENTENCES = 5
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_PLACES = f"set one in the file or in the environment, as {ENVIRONMENT_PREFIX}POLICIES__DIRECTORY"


class ConfigurationError(ValueError):
    """The configuration cannot be used; each line of the message is one sentence that says what, where, and what to write."""


def load_settings(file: Path | None) -> Settings:
    """Return the settings of `file` (or of the file that SARK_SIDECAR_CONFIG names, if any) with the environment over it.

    Raises:
        ConfigurationError: a key is unknown or missing, a value is wrong, or the file cannot be read.
    """
    named = file or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    return settings_of(_read(named) if named else {})


def settings_of(members: Mapping[str, Any]) -> Settings:
    """Return the settings of these sections, with the environment over them.

    Raises:
        ConfigurationError: as `load_settings`.
    """
    _refuse_unknown_variables(os.environ)
    try:
        return Settings(**members)
    except ValidationError as error:
        # From None: a stack would show what pydantic says, which quotes a key that holds a value.
        raise ConfigurationError("\n".join(_sentences(error))) from None
    except SettingsError as error:
        raise ConfigurationError(f"environment: {error}; a list or section is written as JSON") from error


def setting_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every setting, sections included."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_keys(field.annotation, f"{prefix}{name}.")


def variable_name(key: str) -> str:
    """Return the environment variable of a dotted key."""
    return ENVIRONMENT_PREFIX + key.upper().replace(".", "__")


def describe(settings: Settings) -> str:
    """Return the settings in force as YAML, secrets masked."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"configuration file {file}: {error.strerror}") from error
    if len(raw) > _MAX_CONFIG_BYTES:
        raise ConfigurationError(f"configuration file {file} has {len(raw)} bytes; at most {_MAX_CONFIG_BYTES} are read")
    try:
        members = yaml.load(raw, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader with one more refusal
    except _RefusedError as error:
        raise ConfigurationError(f"configuration file {file}: {error}") from None
    except Exception as error:  # noqa: BLE001 - what a reader makes of a tag or an escape is not for us to list
        # From None: a stack, as an application's, would show the reader's own text, which quotes the file.
        raise ConfigurationError(f"configuration file {file} is not YAML: {yaml_problem(error)}") from None
    if members is None:
        return {}
    if not isinstance(members, dict) or not all(isinstance(key, str) for key in members):
        raise ConfigurationError(f"configuration file {file} must hold sections such as `opa:` and `cache:`")
    return members


class _RefusedError(Exception):
    """YAML that is not accepted; the message says where."""


class _UniqueKeys(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice, and aliases, which could grow without bound."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            place = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _RefusedError(f"aliases (*name) are not accepted, line {place.line + 1}")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                shown = repr(key) if _is_name(str(key)) else "that is no name"
                raise _RefusedError(f"the key {shown} appears twice, line {node.start_mark.line + 1} or below")
        return super().construct_mapping(node, deep)


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {variable_name(key) for key in setting_keys()} | {CONFIG_VARIABLE}
    for name in sorted(environment):
        if name.upper().startswith(ENVIRONMENT_PREFIX) and name.upper() not in known:
            raise ConfigurationError(f"environment variable {name} is not a setting{_nearest(name.upper(), known)}")


def _sentences(error: ValidationError) -> Iterator[str]:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    known = set(setting_keys())
    for problem in problems[:_MOST_SENTENCES]:
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield _unknown([str(part) for part in problem["loc"]], known)
        elif problem["type"] == "missing":
            if key == "policies":
                yield f"policies.directory, policies.bundle.file or policies.bundle.url is missing; {_PLACES}"
            else:
                yield f"{key} is missing; set it in the file or as {variable_name(key)}"
        else:
            sentence = problem["msg"].removeprefix("Value error, ")
            # What concerns several sections names them itself.
            yield f"{_where(key)}: {sentence}" if key else sentence
    if len(problems) > _MOST_SENTENCES:
        yield f"and {len(problems) - _MOST_SENTENCES} more"


def _unknown(place: list[str], known: set[str]) -> str:
    key = ".".join(place)
    if _is_name(place[-1]):
        return f"{key} is not a setting{_nearest(key, known)}"
    # A value whose colon was forgotten is part of its key, and may be a secret.
    return f"{'.'.join(place[:-1]) or 'the file'} has a key that is no name; write each as `name: value`"


def _is_name(key: str) -> bool:
    return _NAME.fullmatch(key) is not None


def _where(key: str) -> str:
    variable = variable_name(key)
    return f"{key} (from {variable})" if variable in os.environ else key


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "; see docs/sidecar.md for the settings"
