"""One question that is always the same, and many of which the client makes each its own."""

from __future__ import annotations

import json
from pathlib import Path

from sark_e2e.bench.questions import MARK, write


def test_both_files_hold_questions_the_policy_knows(tmp_path: Path):
    same, distinct = (path.read_text(encoding="utf-8").splitlines() for path in write(tmp_path))

    assert len(same) == 1
    assert MARK not in same[0]
    assert len(distinct) == 500
    assert all(line.count(MARK) == 1 for line in distinct)
    assert {tuple(json.loads(line)) for line in (*same, *distinct)} == {("input",)}


def test_distinct_questions_come_from_many_people(tmp_path: Path):
    _, distinct = write(tmp_path)

    users = {json.loads(line)["input"]["user"]["id"] for line in distinct.read_text(encoding="utf-8").splitlines()}
    assert len(users) > 100
