"""A bounded run: seeds that never change, and one that nobody has seen yet, which a failure names."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from sark_e2e.differential.__main__ import KNOWN, known_specimens
from sark_e2e.differential.campaign import Campaign, Plan
from sark_e2e.differential.comparison import Comparison
from sark_e2e.differential.corpus import Specimen
from sark_e2e.differential.known import known_differences
from sark_e2e.progress import to_stderr

SECONDS = 18.0
SEEDS = (1, 20_260_101, 0xBADC0DE)
FRESH = random.SystemRandom().randrange(1 << 32)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [*SEEDS, FRESH])
def test_no_generated_question_is_answered_differently(seed: int, comparison: Comparison, tmp_path: Path):
    plan = Plan(seed, SECONDS, known_specimens(), most_findings=3, minimise_seconds=5.0, known=known_differences(KNOWN))
    campaign = Campaign(plan, comparison, tmp_path)

    campaign.run()

    found = "\n\n".join(path.read_text(encoding="utf-8") for path in campaign.findings)
    assert not campaign.findings, f"seed {seed}:\n{found}"
    totals = sum((tally.questions for tally in campaign.tallies.values()), Counter[str]())
    to_stderr(f"seed {seed}: {totals.total():,} questions, {dict(totals)}")
    # A run that compares nothing, or only refusals, would always pass.
    assert set(campaign.tallies) == set(plan.sources)
    assert {"equal values", "undefined in both", "errors in both"} <= set(totals)


@pytest.mark.parametrize("specimen", known_specimens(), ids=lambda specimen: specimen.name)
def test_a_policy_of_the_corpus_is_served_and_answered_alike(specimen: Specimen, comparison: Comparison):
    result = comparison.compare(specimen.case(random.Random(7), 60))

    assert result.refused_by_opa is None
    assert result.refused_by_engine is None
    assert result.equal > 0
    assert result.undefined > 0
    assert not result.disagreements, result.disagreements[0]
