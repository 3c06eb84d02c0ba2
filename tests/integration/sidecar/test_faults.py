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


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_gives_no_wrong_answer_is_told_and_passes(stand: Stand, fault: Fault):
    outcome = rehearse(stand, fault, lasting=0.5)
    assert outcome.problems == ()
    assert outcome.wrong == 0
    assert outcome.asked > 0
    assert stand.sidecar.running


def test_the_new_arm_does_not_wait_for_a_baseline_that_hangs(stand: Stand):
    # Given OPA as a black hole for a while
    hangs = next(fault for fault in FAULTS if fault.name == "link to OPA a black hole")
    outcome = rehearse(stand, hangs, lasting=3.0)

    # Then every question of the new arm was answered, and soon, while baseline's waited or were turned away
    assert set(outcome.new_arm_answers) == {"right"}
    assert outcome.answers.get("shed", 0) + outcome.answers.get("failed", 0) > 0
    # Half of them took less than a tenth of what a question of the baseline arm had to wait for.
    assert outcome.new_arm_p50 * 10 < outcome.longest_wait
