from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sark_e2e.differential.__main__ import known_specimens
from sark_e2e.training import train

ROOT = Path(__file__).parents[3]
MOST = 60 * 6 * 4
"""Inputs, paths and times that one policy is asked in a round."""


def test_every_policy_answers_over_http() -> None:
    specimens = known_specimens()[:2]
    lines: list[str] = []

    answers = train(specimens, 1, lines.append)

    assert 2 * MOST / 2 < answers <= 2 * MOST
    assert [line.split(":")[0] for line in lines] == [specimen.name for specimen in specimens]


def test_no_policy_of_a_benchmark_is_trained_with() -> None:
    measured = {path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "performance" / "policies").rglob("*.rego")}

    assert measured
    assert not measured & {source for specimen in known_specimens() for _, source in specimen.modules}


def test_counts_are_not_merged_by_another_llvm_than_the_compiler_has(tmp_path: Path) -> None:
    # Given a compiler with LLVM 22, and an llvm-profdata of LLVM 14
    program(tmp_path / "rustc", 'if [ "$1" = -vV ]; then echo "LLVM version: 22.1.2"; else echo /nowhere; fi')
    for name in ("llvm-profdata", "llvm-profdata-22"):
        program(tmp_path / name, 'echo "Debian LLVM version 14.0.6"')

    # When the engine is to be built with counts
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(
        ["sh", ROOT / "tools" / "pgo.sh", "python"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    # Then it says what is missing, and builds nothing
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: no llvm-profdata of LLVM 22 was found: rustup component add llvm-tools")
    assert ended.stdout == ""


def program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
