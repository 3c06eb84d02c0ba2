"""What the sidecar says of its own security at its start."""

from __future__ import annotations

from typing import Any

import pytest

from sark_sidecar.configuration import settings_of
from sark_sidecar.securing import tokens_in_clear

HTTP, HTTPS, LOCAL = "http://bundles.example.com/a.tar.gz", "https://bundles.example.com/a.tar.gz", "http://127.0.0.1:8080/a"


@pytest.mark.parametrize(
    ("bundle", "logs", "named"),
    [
        ({"url": HTTP, "token_file": "/t"}, {}, ["policies.bundle.token_file"]),
        ({}, {"url": "http://logs.example.com", "token_file": "/t"}, ["decision_logs.service.token_file"]),
        (
            {"url": HTTP, "token_file": "/t"},
            {"url": "HTTP://logs.example.com", "token_file": "/t"},
            ["policies.bundle.token_file", "decision_logs.service.token_file"],
        ),
        ({"url": HTTPS, "token_file": "/t"}, {"url": "https://logs.example.com", "token_file": "/t"}, []),
        ({"url": LOCAL, "token_file": "/t"}, {"url": "http://localhost:9000", "token_file": "/t"}, []),
        ({"url": HTTP}, {"url": "http://logs.example.com"}, []),
    ],
    ids=["a bundle", "decisions", "both", "https", "this host", "no tokens"],
)
def test_tokens_that_leave_the_host_in_clear_are_named(bundle: dict[str, Any], logs: dict[str, Any], named: list[str]):
    policies: dict[str, Any] = {"bundle": bundle} if bundle else {"directory": "/policies"}
    settings = settings_of({"policies": policies, "decision_logs": {"service": logs}})
    assert list(tokens_in_clear(settings)) == named
