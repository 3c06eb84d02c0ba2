"""Every fault of the catalogue: no answer that the policy does not give, a clear state, and a recovery by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sark_e2e.control_plane import ControlPlane
from sark_e2e.faults.catalogue import FAULTS
from sark_e2e.faults.fault import Fault
from sark_e2e.faults.rehearsal import rehearse
from sark_e2e.faults.stand import Stand

# A rehearsal waits three times for something at most, a minute each.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, control_plane: ControlPlane) -> Iterator[Stand]:
    """OPA, Redis and the API server behind links, and one sidecar that has to live through all of it."""
    with Stand(tmp_path_factory.mktemp("faults"), control_plane.access) as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_gives_no_wrong_answer_is_told_and_passes(stand: Stand, fault: Fault):
    if reason := fault.missing():
        pytest.skip(f"{fault.name} cannot be rehearsed here: {reason}")
    outcome = rehearse(stand, fault, lasting=0.3)
    assert outcome.problems == ()
    assert outcome.wrong == 0
    assert outcome.asked > 0
    assert stand.sidecar.running
