from __future__ import annotations

from sark_operator.shell.api import RolloutObject


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
