"""What is said of YAML that cannot be read."""

from __future__ import annotations

import pytest
import yaml

from sark_api.yaml_problem import yaml_problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k: [a, S3CRET", "expected ',' or ']', but got '<stream end>', line 1, column 14"),
        ("k: %S3CRET", "found character '%' that cannot start any token, line 1, column 4"),
        ("k: *S3CRET", "found undefined alias ..., line 1, column 4"),
        ("k: !S3C'RET x", "could not determine a constructor for the tag ..., line 1, column 4"),
        ("k: !a'b%22S3CRET x", "could not determine a constructor for the tag ..., line 1, column 4"),
        ("k: !h!S3CRET x", "found undefined tag handle ..., line 1, column 4"),
        ("a: &S3CRET 1\nb: &S3CRET 2", "it has an anchor twice, line 2, column 4"),
        ("a: S3CRET\n---\nb: 1", "it holds more than one document, line 2, column 1"),
        ("k: !!int S3CRET", "a value in it cannot be read (ValueError)"),
        ("k: !!bool S3CRET", "a value in it cannot be read (KeyError)"),
        ("k: \0S3CRET", "special characters are not allowed (position 3)"),
        (b"k: \xffS3CRET", "invalid start byte (position 3)"),
        ("[" * 5000, "it nests too deeply"),
    ],
)
def test_what_is_wrong_and_where_is_said_without_what_the_file_holds(text: str | bytes, said: str):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the reader raises
        yaml.safe_load(text)
    assert yaml_problem(caught.value) == said
