from __future__ import annotations

from pathlib import Path

from sark_e2e.differential.case import Case
from sark_e2e.differential.known import known_differences, recognised, recognised_at

SOURCE = "package p\n\na := upper(input.x)\n\nb if {\n\tregex.match(input.r, data.units.parse)\n\ta\n}\n"


def write(folder: Path, name: str, words: str) -> None:
    (folder / f"{name}.yaml").write_text(f"words: {words}\n", encoding="utf-8")


def case(path: str) -> Case:
    return Case("t", (("p.rego", SOURCE),), "{}", ("{}",), (path,))


def test_a_difference_is_recognised_by_a_builtin_with_its_whole_name(tmp_path: Path):
    write(tmp_path, "matching", "[regex.match]")
    write(tmp_path, "units", "[units.parse]")
    known = known_differences(tmp_path)
    assert [one.name for one in known] == ["matching", "units"]
    assert recognised(case("p/a"), known) == known[0]
    assert recognised(case("p/a"), known[1:]) is None


def test_before_it_is_reduced_only_the_rule_that_was_asked_counts(tmp_path: Path):
    write(tmp_path, "case", "[upper, lower]")
    known = known_differences(tmp_path)
    assert recognised_at(case("p/a"), known) == known[0]
    assert recognised_at(case("p/b"), known) is None
    assert recognised(case("p/b"), known) == known[0]


def test_no_folder_means_that_nothing_is_known(tmp_path: Path):
    assert known_differences(tmp_path / "none") == []
