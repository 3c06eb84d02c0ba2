"""Where a write may go, and paths that could mean something else."""

from __future__ import annotations

import pytest

from sark_sidecar.writing.place import ForbiddenPlace, UnclearPlace, place_of

NAMES = ("users", "sessions")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/v1/data/users", "/v1/data/users"),
        ("/v1/data/users/alice", "/v1/data/users/alice"),
        ("/v1/data/sessions/0/1", "/v1/data/sessions/0/1"),
        ("/v1/data/users/a%20b", "/v1/data/users/a%20b"),
        ("/v1/data/%75sers/alice", "/v1/data/users/alice"),
        ("/v1/data/users/%C3%BC", "/v1/data/users/%C3%BC"),
        ("/v1/data/users/a+b&c", "/v1/data/users/a%2Bb%26c"),
    ],
)
def test_a_place_has_one_spelling(path: str, place: str):
    assert place_of(path, NAMES) == place


@pytest.mark.parametrize(
    "path", ["/v1/data", "/v1/data/mcp", "/v1/data/user", "/v1/data/userss/x", "/v1/data/Users", "/v1/data/system"]
)
def test_nothing_else_may_be_written(path: str):
    with pytest.raises(ForbiddenPlace, match=r"/v1/data/users, /v1/data/sessions"):
        place_of(path, NAMES)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/data/",
        "/v1/data/users/",
        "/v1/data//users",
        "/v1/data/users//a",
        "/v1/data/users/.",
        "/v1/data/users/..",
        "/v1/data/users/%2e%2e",
        "/v1/data/users/a%2Fb",
        "/v1/data/users/a%22b",
        "/v1/data/users/a%5Cb",
        "/v1/data/users/%00",
        "/v1/data/users/%ff",
        "/v1/data/users/%zz",
        "/v1/data/users/%EF%BB%BF",
        "/v1/data/users/a%EF%BB%BF",
        "/v1/data/users/" + "/".join("a" * 40),
        "/v1/data/users/" + "x" * 300,
        "/v1/data/users/../mcp",
    ],
)
def test_a_path_that_could_mean_something_else_is_refused(path: str):
    with pytest.raises((UnclearPlace, ForbiddenPlace)):
        place_of(path, NAMES)


def test_a_path_that_opa_would_take_apart_elsewhere_is_refused():
    with pytest.raises(UnclearPlace, match="more than one way"):
        place_of("/v1/data/v%31", ("v1",))
