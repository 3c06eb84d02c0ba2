"""Who answers for a path is known when the policies are loaded, and how they are loaded from files."""

from __future__ import annotations

from pathlib import Path

import pytest
from sark_engine import Engine, MissingBuiltin, Policies, PolicyError, Verdict

SOURCE = """package authz
default allow := false
allow if input.admin
fetched(url) := http.send({"url": url, "method": "get"})
remote := fetched(input.url)
"""


def test_every_rule_has_a_verdict_with_its_reason():
    policies = Policies([("authz.rego", SOURCE)])
    verdicts = policies.verdicts()
    assert list(verdicts) == ["authz/allow", "authz/remote"]
    assert verdicts == {path: policies.verdict(path) for path in verdicts}
    assert verdicts["authz/allow"].served_by == "rust"
    assert verdicts["authz/allow"].tier in {"compiled", "interpreter"}
    remote = verdicts["authz/remote"]
    assert isinstance(remote, Verdict)
    assert remote == Verdict("baseline", None, remote.reasons)
    assert any("http.send" in reason for reason in remote.reasons)


def test_a_verdict_holds_what_it_says():
    policies = Policies([("authz.rego", SOURCE)])
    engine = Engine(policies)
    for path, verdict in policies.verdicts().items():
        if verdict.served_by == "rust":
            engine.evaluate(path, b"{}")
        else:
            with pytest.raises(MissingBuiltin):
                engine.evaluate(path, b"{}")


def test_a_path_without_a_rule_is_answered_here():
    assert Policies([("authz.rego", SOURCE)]).verdict("no/such/rule").served_by == "rust"


def test_files_and_folders_become_policies(tmp_path: Path):
    (tmp_path / "policies" / "roles").mkdir(parents=True)
    (tmp_path / "policies" / "authz.rego").write_text(
        "package authz\nallow if input.user in data.roles.admins\nlimit := data.limit"
    )
    (tmp_path / "policies" / "roles" / "any-name.json").write_text('{"admins": ["alice"]}')
    (tmp_path / "extra.json").write_text('{"limit": 7}')
    policies = Policies.from_paths([tmp_path / "policies", str(tmp_path / "extra.json")])
    engine = Engine(policies)
    assert engine.evaluate_object("authz/allow", {"user": "alice"}) is True
    assert engine.evaluate_object("authz/limit") == 7
    same = Policies(
        [("x.rego", (tmp_path / "policies" / "authz.rego").read_text())], b'{"limit":7,"roles":{"admins":["alice"]}}'
    )
    assert policies.revision == same.revision


@pytest.mark.parametrize(
    ("name", "content", "limits", "message"),
    [
        ("p.rego", "package p\nallow if {", {}, r"p\.rego:2:11: "),
        ("x.json", "{", {}, r"x\.json: it is not valid JSON"),
        ("x.yaml", "a: 1", {}, r"x\.yaml: YAML data is not read"),
        ("p.rego", "package p", {"max_bytes": 3}, r"p\.rego: the files hold more than 3 bytes"),
        ("p.rego", "package p", {"max_files": 0}, r"p\.rego: there are more than 0 files"),
    ],
)
def test_a_file_that_cannot_be_taken_is_named(tmp_path: Path, name: str, content: str, limits: dict[str, int], message: str):
    (tmp_path / name).write_text(content)
    with pytest.raises(PolicyError, match=message):
        Policies.from_paths([tmp_path], **limits)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(PolicyError, match="nowhere"):
        Policies.from_paths([tmp_path / "nowhere"])


def test_objects_say_what_they_are(engine: Engine):
    assert repr(engine.policies) == f"<Policies {engine.policies.revision[:12]} of 1 package>"
    engine.decide("authz/allow", b"{}")
    assert repr(engine) == f"<Engine of policies {engine.policies.revision[:12]}, 1 decisions kept>"
