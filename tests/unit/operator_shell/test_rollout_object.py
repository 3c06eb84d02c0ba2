"""A SarkRollout, read from text as from values."""

from __future__ import annotations

import json

import pytest

from sark_api.names import API_VERSION, FINALIZER, KIND
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.shell.api import RolloutObject, UnreadableError


def written(**changed: object) -> dict[str, object]:
    """Return a rollout in the middle of its way, as the API server shows it."""
    target = SimulatedTarget()
    for _ in range(3):
        target.tick()
    metadata = {
        "namespace": "shop",
        "name": "gateway",
        "uid": "u1",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": [FINALIZER],
        "managedFields": [entry("kubectl-edit", "2026-01-01T00:00:00Z", "request")],
    }
    parts = {"spec": target.spec.to_wire(), "status": target.status.to_wire()}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, **parts, **changed}


def test_an_object_read_from_text_is_the_one_read_from_values() -> None:
    body = written()
    text, values = RolloutObject.from_json(json.dumps(body).encode()), RolloutObject(body)

    assert text.spec() == values.spec()
    assert text.status() == values.status()
    assert text.status().flags is not None
    assert text.identity() == values.identity()
    assert text.identity().requested_by == "kubectl-edit"
    assert (text.finalizers, text.resource_version, text.deleting) == (values.finalizers, "7", False)
    assert text.status_digest == values.status_digest
    assert text.document() == body


@pytest.mark.parametrize("nothing", [{}, {"status": None}])
def test_a_status_that_was_never_written_is_the_empty_one(nothing: dict[str, object]) -> None:
    body = written(spec={}) | nothing
    if not nothing:
        del body["status"]
    text, values = RolloutObject.from_json(json.dumps(body).encode()), RolloutObject(body)
    assert text.status() == values.status()
    assert text.status_digest == values.status_digest


def test_the_digest_of_a_status_tells_of_every_change_of_it_and_of_nothing_else() -> None:
    def digest(body: dict[str, object], **style: object) -> bytes:
        return RolloutObject.from_json(json.dumps(body, **style).encode()).status_digest  # type: ignore[arg-type]

    body = written()
    assert digest(body) == digest(body, indent=2, sort_keys=True) == digest(body | {"spec": {}})
    assert digest(body) != digest(body | {"status": {**body["status"], "step": None}})  # type: ignore[dict-item]


def test_a_part_that_does_not_fit_the_model_is_told_by_its_place() -> None:
    broken = RolloutObject.from_json(json.dumps(written(spec={"target": 1}, status={"attempt": "many"})).encode())
    with pytest.raises(UnreadableError, match=r"^spec\.target: "):
        broken.spec()
    with pytest.raises(UnreadableError, match=r"^status\.attempt: "):
        broken.status()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"metadata": []}', b'{"metadata": {}, "spec": {]}', b"\xff"])
def test_what_is_no_object_is_not_taken_for_one(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        RolloutObject.from_json(text)


def entry(manager: str, at: str, *fields: str) -> dict[str, object]:
    return {"manager": manager, "time": at, "fieldsV1": {"f:spec": {f"f:{field}": {} for field in fields}}}


def test_the_writer_of_a_request_is_the_last_manager_that_owns_it() -> None:
    managed = [
        entry("argocd", "2026-01-03T00:00:00Z", "steps"),
        entry("kubectl-edit", "2026-01-01T00:00:00Z", "request"),
        entry("sark-rollout", "2026-01-02T00:00:00Z", "request", "mode"),
        {"manager": "sark-operator", "fieldsV1": {"f:status": {}}},
        {"manager": "old"},
    ]
    metadata = {"namespace": "shop", "name": "gateway", "uid": "1", "managedFields": managed}

    assert RolloutObject({"metadata": metadata}).identity().requested_by == "sark-rollout"
    assert RolloutObject({"metadata": metadata | {"managedFields": None}}).identity().requested_by == ""


def test_the_editor_of_a_spec_is_the_last_manager_that_owns_more_than_requests() -> None:
    managed = [
        entry("argocd", "2026-01-01T00:00:00Z", "steps", "criteria"),
        entry("kubectl-edit", "2026-01-02T00:00:00Z", "criteria"),
        entry("sark-rollout", "2026-01-03T00:00:00Z", "request", "mode", "attempt"),
        {"manager": "sark-operator", "time": "2026-01-04T00:00:00Z", "fieldsV1": {"f:status": {}}},
    ]
    metadata = {"namespace": "shop", "name": "gateway", "uid": "1", "managedFields": managed}
    text = json.dumps({"metadata": metadata, "spec": {}}).encode()

    assert RolloutObject({"metadata": metadata}).edited_by() == "kubectl-edit"
    assert RolloutObject.from_json(text).edited_by() == "kubectl-edit"
    assert RolloutObject({"metadata": metadata | {"managedFields": None}}).edited_by() == ""


def test_of_clients_that_wrote_within_one_second_all_are_named() -> None:
    # Given what the API server keeps, whole seconds: a rollout is applied and its limit loosened before the second is over
    managed = [
        entry("argocd", "2026-01-01T00:00:00Z", "steps"),
        entry("kubectl-client-side-apply", "2026-01-02T00:00:00Z", "steps", "criteria"),
        entry("kubectl-edit", "2026-01-02T00:00:00Z", "criteria"),
        entry("kubectl-edit", "2026-01-02T00:00:00Z", "target"),
    ]
    rollout = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "1", "managedFields": managed}})

    assert rollout.edited_by() == "kubectl-client-side-apply or kubectl-edit"
