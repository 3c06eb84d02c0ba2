"""The engine panics: that costs the new arm the one request, and never lets anybody in."""

from __future__ import annotations

from pathlib import Path

from sark_e2e.deadline import eventually
from sark_e2e.opa import OpaServer

from .conftest import RunningSidecar, StartSidecar
from .test_outages import allows, fresh_question

MOVED = {"rust_opa_enabled": True, "rust_cache_enabled": True, "rollout_percentage": 100}


def panics(sidecar: RunningSidecar, file: Path, percent: int) -> None:
    """Let so many evaluations of a hundred panic from now on."""
    fresh = file.with_suffix(".new")
    fresh.write_text(f'{{"rust": {{"panic_percent": {percent}}}}}', encoding="utf-8")
    fresh.rename(file)
    eventually(lambda: sidecar.get("/v1/status")["faults"]["rust"]["panic_percent"] == percent, what="the fault", seconds=30)


def test_a_panic_costs_the_one_request_its_arm_and_never_allows(start_sidecar: StartSidecar, opa: OpaServer, tmp_path: Path):
    # Given everybody in the new arm, and an engine that panics in every evaluation
    file = tmp_path / "faults.json"
    sidecar = start_sidecar(feature_flags=MOVED, fault_injection={"enabled": True, "file": str(file)})
    panics(sidecar, file, 100)
    # Then baseline answers, and each counts as an error of the new arm and as a panic
    assert all(allows(sidecar.decide(fresh_question())) for _ in range(20))
    assert sidecar.metric("sark_requests_total", implementation="rust", result="error") == 20
    assert sidecar.metric("implementation_fallback_total", error_type="panic") == 20
    assert sidecar.metric("opa_evaluation_errors_total", implementation="rust", error_type="panic") == 20
    # When OPA is away too, then nobody is let in
    opa.kill()
    assert {sidecar.decide(fresh_question())[0] for _ in range(20)} <= {500, 503}
    # When the engine panics no longer, then it decides by itself, with what it was before
    panics(sidecar, file, 0)
    assert all(allows(sidecar.decide(fresh_question())) for _ in range(20))
    assert sidecar.running
