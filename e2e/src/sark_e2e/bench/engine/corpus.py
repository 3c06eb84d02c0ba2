"""The two policies that are measured, the questions about them, and the files the clients read them from.

What is the right answer is OPA's say: every question is put to a real OPA before anything is measured.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.questions import MARK

from . import gateway, tenancy

_SEED: Final = 7
_DISTINCT: Final = 256
_TIMEOUT_SECONDS: Final = 30
_FEWEST_OF_EACH: Final = 0.15

Asker = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Puts an input to a path, as in `authz/allow`, and returns OPA's answer, in which `result` is missing when undefined."""


@dataclass(frozen=True)
class Corpus:
    """One policy and how questions about it are drawn."""

    name: str
    policies: Path
    path: str
    """What is asked for, as in `authz/allow`."""
    question: Callable[[random.Random, str], dict[str, Any]]

    def inputs(self) -> list[dict[str, Any]]:
        """Return the distinct inputs, always the same, each with the mark that the client makes unique."""
        draw = random.Random(_SEED)
        return [self.question(draw, MARK) for _ in range(_DISTINCT)]


SIMPLE: Final = Corpus("simple", gateway.POLICIES, "gateway/authz/allow", gateway.question)
COMPLEX: Final = Corpus("complex", tenancy.POLICIES, "tenancy/decision/decision", tenancy.question)


@dataclass(frozen=True)
class Asked:
    """A file of bodies and the file of their right answers."""

    bodies: Path
    answers: Path


@dataclass(frozen=True)
class Files:
    """A corpus' questions as files."""

    corpus: Corpus
    same: Asked
    """One question that is allowed."""
    distinct: Asked
    """Many questions, each made unique by the client."""
    cases: Path
    """The one question with its result, as `sark-bench evaluate` reads it."""
    input: Path
    """Its input alone, as `opa bench` reads it."""
    first: dict[str, Any]
    """Its input, as an object."""
    result: Any
    """What the answer to it must be."""


def write(corpus: Corpus, ask: Asker, folder: Path) -> Files:
    """Ask every question and write the files below `folder`. Raises BenchError when answers are too much alike."""
    inputs = corpus.inputs()
    answers = [ask(corpus.path, each) for each in inputs]
    results = [answer.get("result") for answer in answers]
    allowed = [_allows(result) for result in results]
    if not _FEWEST_OF_EACH <= sum(allowed) / len(allowed) <= 1 - _FEWEST_OF_EACH:
        raise BenchError(f"{sum(allowed)} of {len(allowed)} questions about {corpus.policies.name} are allowed: too much alike")
    prefix = folder / corpus.name
    prefix.mkdir(parents=True, exist_ok=True)
    first = _unmarked(inputs[allowed.index(True)])
    answer = ask(corpus.path, first)
    case = {"name": corpus.name, "path": corpus.path, "input": first, "result": answer["result"]}
    return Files(
        corpus=corpus,
        same=_asked(prefix, "same", [first], [answer]),
        distinct=_asked(prefix, "distinct", inputs, answers),
        cases=write_lines(prefix / "cases.jsonl", [case]),
        input=write_lines(prefix / "input.json", [first]),
        first=first,
        result=answer["result"],
    )


@contextlib.contextmanager
def asker(url: str) -> Iterator[Asker]:
    """Give what asks the OPA at `url`, over one connection. It raises BenchError."""
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT_SECONDS)

    def ask(path: str, question: dict[str, Any]) -> dict[str, Any]:
        try:
            connection.request("POST", f"/v1/data/{path}", body=compact({"input": question}))
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchError(f"OPA at {url} could not be asked: {error}") from error
        if answer.status != http.HTTPStatus.OK:
            raise BenchError(f"OPA answered {answer.status} to {path}: {text[:200]!r}")
        members: dict[str, Any] = json.loads(text)
        return members

    with contextlib.closing(connection):
        yield ask


def compact(value: object) -> str:
    """Return `value` as the JSON text that servers write: no spaces, members sorted."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def write_lines(path: Path, values: Sequence[object]) -> Path:
    """Write one value a line, and return the path. Members of inputs keep their order, as clients send them."""
    path.write_text("".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values), encoding="utf-8")
    return path


def _asked(folder: Path, name: str, inputs: Sequence[object], answers: Sequence[object]) -> Asked:
    bodies = write_lines(folder / f"{name}.jsonl", [{"input": each} for each in inputs])
    right = folder / f"{name}.answers.jsonl"
    right.write_text("".join(compact(answer) + "\n" for answer in answers), encoding="utf-8")
    return Asked(bodies, right)


def _unmarked(question: dict[str, Any]) -> dict[str, Any]:
    """Return the question with a number of its own, that the client does not change."""
    found: dict[str, Any] = json.loads(json.dumps(question).replace(MARK, "0" * len(MARK)))
    return found


def _allows(result: object) -> bool:
    return result is True or (isinstance(result, dict) and result.get("allow") is True)
