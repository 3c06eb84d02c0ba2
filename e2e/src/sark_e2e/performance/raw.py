"""The contract between what measures and what reports: one JSON file for each measurement.

A file says what was measured, of which arm, with which tool, at which scale, on which machine, by which command, and every
number with its unit. The report is a function of such files and of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sark_e2e.program import ROOT

SCHEMA: Final = "sark.performance/1"
SUITE: Final = ROOT / "tests" / "performance"
SECTIONS: Final = ("benchmarks", "load", "stress", "memory")
REFERENCE: Final = "reference"
"""The run that is committed, and of which the committed report is made."""
_MAX_BYTES: Final = 1_000_000
MOST_SAMPLES: Final = 400
"""Of one series; longer ones are thinned out evenly."""

Section = Literal["benchmarks", "load", "stress", "memory"]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]


class RawError(ValueError):
    """A raw file cannot be used; the message says which and why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Number(_Model):
    """One figure."""

    value: float
    unit: str = Field(max_length=20)
    """`ms`, `1/s`, `%`, `MB` (10^6 bytes), `MB/h`, `s`; empty for counts."""


class Series(_Model):
    """What was seen over time."""

    unit: str = Field(max_length=20)
    at: list[float] = Field(max_length=MOST_SAMPLES)
    """Seconds since the measurement began."""
    values: list[float] = Field(max_length=MOST_SAMPLES)


class Scale(_Model):
    """How long was measured, beside how long the report's plan says."""

    seconds: float = Field(ge=0)
    planned_seconds: float = Field(ge=0)

    @property
    def full(self) -> bool:
        """Whether nothing was shortened."""
        return self.seconds >= self.planned_seconds


class Environment(_Model):
    """The machine, and who else worked on it."""

    cpu: str
    cores: int
    memory_gib: float
    disk: str
    network: str
    kernel: str
    os: str
    commit: str
    """Of this repository; ends with `+` when files were changed."""
    build_profile: str
    """Of the engine."""
    load_before: float
    """Mean number of runnable tasks in the minute before: above 0 means that others worked here too."""
    load_after: float
    versions: dict[str, str]


class Raw(_Model):
    """One measurement."""

    schema_: Literal["sark.performance/1"] = Field(alias="schema")
    section: Section
    what: _Name
    arm: _Name
    tool: _Name
    """What asked or timed: `pytest-benchmark`, `open-loop`, `locust` ..."""
    started: str
    """UTC, ISO 8601."""
    scale: Scale
    command: str
    """That measures the same again."""
    environment: Environment
    numbers: dict[str, Number]
    series: dict[str, Series] = {}
    notes: list[str] = []

    @property
    def file_name(self) -> str:
        """Name of its file: what, arm and tool tell one measurement of a run from all others."""
        return f"{self.what}.{self.arm}.{self.tool}.json"


def make(
    section: Section,
    what: str,
    arm: str,
    tool: str,
    *,
    started: str,
    scale: Scale,
    command: str,
    environment: Environment,
    numbers: Mapping[str, tuple[float, str]],
    series: Mapping[str, tuple[str, list[float], list[float]]] | None = None,
    notes: Iterable[str] = (),
) -> Raw:
    """Return a measurement. `numbers` are value and unit by name; `series` unit, times and values by name, thinned out here."""
    return Raw(
        schema=SCHEMA,
        section=section,
        what=what,
        arm=arm,
        tool=tool,
        started=started,
        scale=scale,
        command=command,
        environment=environment,
        numbers={name: Number(value=_short(value), unit=unit) for name, (value, unit) in numbers.items()},
        series={name: _thinned(*each) for name, each in (series or {}).items()},
        notes=list(notes),
    )


def folder(section: str, run: str) -> Path:
    """Return where the files of one section of a run are."""
    return SUITE / section / "reports" / run


def write(raw: Raw, run: str) -> Path:
    """Write a measurement in place of an older one of the same kind, and return its path."""
    path = folder(raw.section, run) / raw.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(raw.model_dump_json(by_alias=True, indent=1, exclude_defaults=False) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> Raw:
    """Return the measurement in a file. Raises RawError."""
    if path.stat().st_size > _MAX_BYTES:
        raise RawError(f"{path} has more than {_MAX_BYTES} bytes; a measurement is smaller: measure again")
    try:
        raw = Raw.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RawError(f"{path} is no measurement of schema {SCHEMA}: {where}: {first['msg']}") from error
    if raw.file_name != path.name:
        raise RawError(f"{path} holds {raw.file_name}; rename it to that, or measure again")
    return raw


def read_run(run: str) -> dict[Path, Raw]:
    """Return every measurement of a run by its path, sorted. Raises RawError, also when there is none."""
    paths = sorted(path for section in SECTIONS for path in folder(section, run).glob("*.json"))
    if not paths:
        raise RawError(f"no measurement is below {SUITE}/*/reports/{run}; run `make report` first")
    return {path: read(path) for path in paths}


def _thinned(unit: str, at: list[float], values: list[float]) -> Series:
    step = -(-max(len(at), 1) // MOST_SAMPLES)
    return Series(unit=unit, at=[_short(each) for each in at[::step]], values=[_short(each) for each in values[::step]])


def _short(value: float) -> float:
    """Six digits are more than any of these measurements repeats."""
    return float(f"{value:.6g}")
