"""What a criterion rests on, in sentences."""

from __future__ import annotations

import pytest

from sark_api.status import CriterionStatus, Verdict
from sark_cli.criterion import criterion_lines

ERRORS = CriterionStatus(
    name="errorRate",
    verdict=Verdict.PASS,
    action="Revert",
    value="0.4%",
    limit="1.0%",
    samples=1000,
    min_samples=100,
    message="errorRate 0.4% <= 1.0% over 5m (1,000 requests)",
    windows=42,
    evidence="1 to 1",
    evidence_needed="700 to 1",
)


def lines(**changes: object) -> list[str]:
    """Return the sentences about a criterion, below its heading."""
    return [line.strip() for line in criterion_lines(ERRORS.model_copy(update=changes))[1:]]


def test_what_it_says_stands_without_its_name_and_above_what_it_rests_on():
    assert criterion_lines(ERRORS) == [
        "  errorRate: Pass; a breach reverts",
        "    0.4% <= 1.0% over 5m (1,000 requests)",
        "    value 0.4%, limit 1.0%, from 1,000 requests; a verdict needs 100",
        "    evidence for a breach from 42 counting windows of this attempt: none (1 to 1); 700 to 1 would be enough",
    ]


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        ("1 to 1", "none (1 to 1); 700 to 1 would be enough"),
        ("9 to 1", "9 to 1; 700 to 1 would be enough"),
        ("12 to 1", "12 to 1; 700 to 1 would be enough, and from 10 to 1 on it does not pass"),
        ("700 to 1", "700 to 1; 700 to 1 is enough"),
        ("1,204 to 1", "1,204 to 1; 700 to 1 is enough"),
    ],
)
def test_evidence_is_told_with_what_it_comes_to(evidence: str, says: str):
    assert lines(evidence=evidence)[-1] == f"evidence for a breach from 42 counting windows of this attempt: {says}"


def test_one_window_is_one():
    assert "from 1 counting window of" in lines(windows=1)[-1]


@pytest.mark.parametrize(
    "action", [("Revert", "reverts"), ("Hold", "holds the step"), ("Warn", "only warns"), ("Page", "does Page")]
)
def test_what_a_breach_does_is_said(action: tuple[str, str]):
    assert criterion_lines(ERRORS.model_copy(update={"action": action[0]}))[0].endswith(f"; a breach {action[1]}")


def test_a_bound_is_what_one_window_proves():
    assert "this window alone proves with 99.9% confidence that it is at least 0.2%" in lines(bound="0.2%")


@pytest.mark.parametrize("name", ["latencyP95", "opaP95", "cacheP95"])
def test_the_bound_of_a_time_is_the_share_of_what_was_slower(name: str):
    assert "this window alone proves with 99.9% confidence that at least 7.1% took longer than the limit" in lines(
        name=name, value="p95 24.2 ms", limit="9.75 ms", bound="7.1%"
    )


@pytest.mark.parametrize("bound", ["", "0.0%", "0.00%"])
def test_a_bound_of_nothing_says_nothing(bound: str):
    assert not [line for line in lines(bound=bound) if "alone" in line]


def test_what_the_sentence_of_the_verdict_tells_is_not_told_again():
    proven = "errorRate 4.2% > 1.0% over 5m (1,000 requests), evidence 1,204 to 1 in 42 windows, 700 to 1 needed (2.2%)"
    floor = "errorRate 42.0% > 1.0% over 5m (1,000 requests), at least 37.0% with 99.9% confidence, far beyond the limit"

    assert len(lines(verdict=Verdict.BREACH, message=proven, evidence="1,204 to 1")) == 2
    assert not [line for line in lines(verdict=Verdict.BREACH, message=floor, bound="37.0%") if "alone" in line]


def test_doubt_is_no_blindness_and_a_lack_of_data_is():
    doubt = {"verdict": Verdict.UNKNOWN, "message": "errorRate Unknown: 1.2% > 1.0% over 5m, not proven"}
    blindness = "it was measured, only not proven: rollback.blindFor does not run for it"

    assert lines(**doubt, seen=True)[0] == "1.2% > 1.0% over 5m, not proven"
    assert blindness in lines(**doubt, seen=True)
    assert blindness not in lines(**doubt)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("memoryGrowth", "from 3 pods; a verdict needs 1"),
        ("denyShift", "from 3 decisions; a verdict needs 1"),
        ("decisionMismatch", "from 3 comparisons; a verdict needs 1"),
        ("queueDepth", "from 3 samples; a verdict needs 1"),
    ],
)
def test_samples_are_called_what_they_are(name: str, says: str):
    assert lines(name=name, samples=3, min_samples=1)[1].endswith(says)


def test_a_criterion_without_samples_has_none_to_tell():
    assert lines(name="alerts", value="0", limit="none firing", samples=0, min_samples=0)[1] == "value 0, limit none firing"


def test_a_criterion_without_a_value_says_so():
    assert lines(value="", samples=0)[1] == "no value, limit 1.0%, from 0 requests; a verdict needs 100"
    assert lines(value="", samples=12)[1] == "no value, limit 1.0%, from 12 requests; a verdict needs 100"


def test_a_member_of_a_newer_operator_is_shown_by_its_name():
    class Newer(CriterionStatus):
        drift: str = "3 ms"

    assert "    drift: 3 ms" in criterion_lines(Newer(**ERRORS.model_dump()))
