"""What is asked is the same on every machine, is as large as the goals say, and has its right answers beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sark_e2e.bench.engine import tenancy
from sark_e2e.bench.engine.corpus import COMPLEX, SIMPLE, Corpus, write
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.questions import MARK


def test_the_data_file_is_what_its_generator_writes():
    assert tenancy.DATA.read_text(encoding="utf-8") == tenancy.text()
    assert json.loads(tenancy.text()) == json.loads(json.dumps(tenancy.data()))


def test_the_data_has_the_shape_of_the_goal():
    data = tenancy.data()

    assert len(data["tenants"]) == 10
    assert len(data["roles"]) == 41
    assert sum(len(bindings) for bindings in data["bindings"].values()) == 160


@pytest.mark.parametrize(("corpus", "size"), [(SIMPLE, 230), (COMPLEX, 365)])
def test_questions_are_drawn_alike_each_time(corpus: Corpus, size: int):
    inputs = corpus.inputs()
    sizes = [len(json.dumps(each, separators=(",", ":"))) for each in inputs]

    assert inputs == corpus.inputs()
    assert all(json.dumps(each).count(MARK) == 1 for each in inputs)
    assert sum(sizes) / len(sizes) == pytest.approx(size, rel=0.1)


def echo(allowed: int) -> Any:
    """Return an oracle that allows one question of `allowed`, and gives the marked part back."""
    asked: list[dict[str, Any]] = []

    def ask(path: str, question: dict[str, Any]) -> dict[str, Any]:
        asked.append(question)
        return {"result": {"allow": len(asked) % allowed == 0, "echo": question["request"], "path": path}}

    return ask


def test_each_question_stands_beside_its_answer(tmp_path: Path):
    files = write(SIMPLE, echo(2), tmp_path)

    bodies = files.distinct.bodies.read_text(encoding="utf-8").splitlines()
    answers = files.distinct.answers.read_text(encoding="utf-8").splitlines()
    assert len(bodies) == len(answers) == len(SIMPLE.inputs())
    assert [json.loads(body)["input"]["request"] for body in bodies] == [MARK] * len(bodies)
    assert [json.loads(answer)["result"]["allow"] for answer in answers[:4]] == [False, True, False, True]


def test_the_question_that_is_always_the_same_carries_no_mark(tmp_path: Path):
    files = write(SIMPLE, echo(2), tmp_path)

    for path in (files.same.bodies, files.same.answers, files.cases, files.input):
        assert MARK not in path.read_text(encoding="utf-8")
    case = json.loads(files.cases.read_text(encoding="utf-8"))
    assert case == {"name": "simple", "path": SIMPLE.path, "input": files.first, "result": files.result}


def test_questions_that_are_all_answered_alike_are_refused(tmp_path: Path):
    with pytest.raises(BenchError, match="1 of 256 questions about simple are allowed: too much alike"):
        write(SIMPLE, echo(256), tmp_path)
