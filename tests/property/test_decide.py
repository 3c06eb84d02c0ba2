"""Whatever happens to a rollout, in whatever order: what `decide` must never do, and what it must always do.

The stories play user, cluster, Prometheus and clocks at random against a simulated target. What is true (who has confirmed,
what the metrics say) is worked out from what was done to the target, not read from the status under test. In `stories/` stand
what happens (`happenings`, `wishes`), what is true in an evaluation (`moment`, `memory`, `symptoms`, `limits`), and what must
hold in it (`shares`, `evidence`, `requests`, `scene`).
"""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from sark_api.spec import Action, FlagEdits, OnDelete, RequestAction, Retry, Rollback

from .stories.happenings import Happenings
from .stories.limits import CRITERIA, edited
from .stories.plans import plan_of
from .stories.tally import TALLY
from .stories.troubles import TROUBLES
from .stories.wishes import Wishes

EXAMPLES = int(os.environ.get("SARK_EXAMPLES", "100"))
"""Stories that are played; each has 20 events, and each event up to some dozen evaluations."""
ALWAYS_THE_SAME = "always the same"
SEED = os.environ.get("SARK_SEED", ALWAYS_THE_SAME)
"""What the stories come from. Those of `make test` do not change, so that it fails for what has been changed only."""
AT_ONCE = 9
"""Stories of one test. With more than ten Hypothesis would vary those it has, and repeat most of their events."""


class Rollout(Happenings, Wishes):
    """One rollout, its target, and everything that can happen to them."""

    @initialize(
        keep=st.booleans(),
        blind_for=st.sampled_from([0, 60]),
        retries=st.sampled_from([0, 0, 2]),
        edits=st.sampled_from([FlagEdits.CORRECT, FlagEdits.CORRECT, FlagEdits.HOLD]),
        seconds=st.sampled_from([0, 0, 20, 40, 60, 80, 120]),
        compares=st.sampled_from(["never", "first", "always"]),
        acting=st.dictionaries(st.sampled_from(CRITERIA), st.sampled_from(Action), max_size=4),
        number=st.integers(0, 2**32),
    )
    def begin(
        self,
        *,
        keep: bool,
        blind_for: int,
        retries: int,
        edits: FlagEdits,
        seconds: int,
        compares: str,
        acting: dict[str, Action],
        number: int,
    ) -> None:
        self.over = number == 0  # the simplest story of all, with which Hypothesis always begins
        TALLY["stories"] += not self.over
        self.target.ask(flag_edits=edits)
        if compares != "never":
            self.target.ask(steps=plan_of((0, 5, 25, 100), 15, compares=compares == "always"))
        on_delete = OnDelete.KEEP if keep else OnDelete.BASELINE
        retry = Retry(limit=retries, after=timedelta(seconds=30))
        self.target.ask(rollback=Rollback(on_delete=on_delete, blind_for=timedelta(seconds=blind_for), retry=retry))
        for criterion, action in acting.items():
            self.target.ask(criteria=edited(self.target.spec.criteria, criterion, action, strict=True))
        self.calm_down(seconds)


SETTINGS = settings(
    max_examples=AT_ONCE + 1,
    stateful_step_count=20,
    deadline=None,
    database=None,  # the same seed plays the same stories, whatever was found before
    phases=[Stage.generate],  # a failure is a story of its own; shrinking it takes many minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
FEW, MANY = 300, 800
"""New stories in which the commoner events, and all there are, have happened as good as surely."""
IN_A_HUNDRED = [
    *TROUBLES,
    *(
        "the operator's clock is behind",
        "criteria edited",
        "a limit was edited",
        "times edited",
        "no counting windows for too long",
    ),
    *(
        "raised",
        "advanced on proof",
        "advanced past a warning",
        "breach",
        "back by a glimpse",
        "evidence grows",
        "rests",
        "blind for too long",
        "a revert goes on",
    ),
    *("bake surely counts", "bake counts in spite of a warning"),
    *("Started", "Advanced", "Completed", "CriterionBreached", "BlindTooLong", "BaselineRestored", "RevertAdopted"),
    *("ApprovalAwaited", "ApprovalExpired", "ApprovalMissed", "AttemptRaised", "RolledBackByUser", "FlagsTakenOver"),
    *(f"{criterion} breached" for criterion in CRITERIA),
]
"""What a hundred stories must have come to; else the invariants held because nothing happened."""
IN_MANY = [
    *(f"{criterion} breached: {action}" for criterion in CRITERIA for action in Action),
    *(f"{criterion} lasts" for criterion in CRITERIA),
    "an arm without permissions goes back in spite of Hold",
    *(f"{action} {answer}" for action in RequestAction for answer in ("granted", "refused")),
    *(
        "Retried",
        "PlanEdited",
        "FeaturesEdited",
        "RolloutDeleted",
        "PausedByUser",
        "FlagsRepaired",
        "FlagsCorrected",
        "FlagsHeld",
    ),
]


@pytest.mark.timeout(1800)  # some twenty seconds of processor time, on a machine that may have much else to do
@pytest.mark.parametrize("number", range(-(-EXAMPLES // AT_ONCE)))
def test_whatever_happens(number: int) -> None:
    run_state_machine_as_test(seed(f"{SEED}, {number}")(Rollout), settings=SETTINGS)


def test_crowding_within_a_wide_limit_is_no_trouble() -> None:
    # Given a small step, and a limit of the share that is a thousand times the odds
    story = Rollout()
    story.begin_in_earnest(compares=False)
    story.edit("sampleRatio", Action.HOLD, strict=False)

    # When requests crowd into the new arm at a hundred times the odds, all invariants hold, and time is proven as before
    story.pass_time("crowding", 60)

    assert story.target.status.step is not None
    assert story.target.status.step.percent > 5


def test_the_stories_were_not_idle() -> None:
    stories = TALLY["stories"]
    if not stories:
        pytest.skip("the stories were not played")
    said = f"{stories:,} stories, SEED={SEED}"
    print("\n".join(("", said, *(f"{number:9,}  {what}" for what, number in TALLY.most_common()))))  # noqa: T201 - shown with -s
    few = 90 if SEED == ALWAYS_THE_SAME else FEW
    expected = (IN_A_HUNDRED if stories >= few else []) + (IN_MANY if stories >= MANY else [])
    assert [what for what in expected if not TALLY[what]] == []
