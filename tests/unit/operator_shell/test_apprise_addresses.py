"""The file of Apprise URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_operator.shell.apprise_addresses import AddressFileError, AppriseFile


def written(folder: Path, text: str) -> Path:
    path = folder / "urls"
    path.write_text(text)
    return path


def test_lines_are_addresses_and_a_rotated_file_counts_at_once(tmp_path: Path):
    path = written(tmp_path, "# ours\n\njson://me:hush@127.0.0.1:9/a\nwarnings=json://127.0.0.1:9/b\n")
    file = AppriseFile(path)
    assert [(each.name, each.only_warnings) for each in file()] == [("line 3 (JSON)", False), ("line 4 (JSON)", True)]
    written(tmp_path, "json://127.0.0.1:9/c")
    assert [each.name for each in file()] == ["line 1 (JSON)"]


def test_a_file_that_goes_bad_leaves_what_was_read_before(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = AppriseFile(written(tmp_path, "json://127.0.0.1:9/a"))
    written(tmp_path, "nonsense hush")
    assert [each.name for each in file()] == ["line 1 (JSON)"]
    assert "line 1: not a URL that Apprise knows" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("json://127.0.0.1/a\nhush://token", "line 2: not a URL that Apprise knows"),
        ("json://127.0.0.1/a\n" * 51, "holds 51 URLs; at most 50"),
        ("#" * 70_000, "larger than 64 KiB"),
        (None, "cannot be read: no such file"),
    ],
)
def test_a_bad_file_is_refused_without_what_stands_there(tmp_path: Path, text: str | None, says: str):
    path = tmp_path / "urls" if text is None else written(tmp_path, text)
    with pytest.raises(AddressFileError) as raised:
        AppriseFile(path)
    assert says in str(raised.value)
    assert "hush" not in str(raised.value)
