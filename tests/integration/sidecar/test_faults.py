"""Every fault of the catalogue: no answer that the policy does not give, a clear state, and a recovery by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sark_e2e.faults.catalogue import FAULTS, Fault
from sark_e2e.faults.rehearsal import rehearse
from sark_e2e.faults.stand import Stand


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """OPA and Redis behind links, and one sidecar that has to live through all of it."""
    with Stand(tmp_path_factory.mktemp("faults")) as made:
        yield made


# Those that are noticed at once, whatever else the machine has to do. `make faults` rehearses all of them.
SOON = (
    "OPA killed",
    "a proxy answers 502 for OPA",
    "link to OPA cut",
    "Redis killed",
    "Redis full (noeviction)",
    "both links cut",
    "every evaluation of the new arm fails",
    "policy deleted from the folder",
    "policy that does not compile",
)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.name in SOON], ids=lambda fault: fault.name)
def test_a_fault_gives_no_wrong_answer_is_told_and_passes(stand: Stand, fault: Fault):
    outcome = rehearse(stand, fault, lasting=0.5)
    assert outcome.problems == ()
    assert outcome.wrong == 0
    assert outcome.asked > 0
    assert stand.sidecar.running


def test_the_faults_named_here_are_in_the_catalogue():
    assert set(SOON) <= {fault.name for fault in FAULTS}
