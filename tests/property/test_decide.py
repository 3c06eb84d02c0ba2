"""Whatever happens to a rollout, in whatever order: what `decide` must never do, and what it must always do.

The stories play user, cluster, Prometheus and clocks at random against a simulated target. What is true (who has confirmed,
what the metrics say) is worked out from what was done to the target, not read from the status under test. In `stories/` stand
what happens (`happenings`, `wishes`), what is true in an evaluation (`moment`, `memory`, `symptoms`, `limits`), and what must
hold in it (`shares`, `evidence`, `requests`, `scene`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from sark_api.spec import Action, FlagEdits, Mode, OnDelete, Request, RequestAction, Retry, Rollback, SchedulePreset, Toggle
from sark_operator.core.lifecycle import wanted_percent

from .stories.happenings import Happenings
from .stories.limits import CRITERIA, edited
from .stories.plans import plan_of
from .stories.tally import TALLY
from .stories.troubles import TROUBLES
from .stories.wishes import MOMENTS, Wishes

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
        watch=st.sampled_from([0, 4, 30, 30, 600]),
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
        watch: int,
        acting: dict[str, Action],
        number: int,
    ) -> None:
        self.over = number == 0  # the simplest story of all, with which Hypothesis always begins
        TALLY["stories"] += not self.over
        self.target.ask(flag_edits=edits, watch_after=timedelta(seconds=watch))
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
    *MOMENTS.values(),
    *("flags in force say less", "flags of another", "a rival's flags in force", "a sidecar was told of less"),
    *(f"raised by the schedule {schedule}" for schedule in SchedulePreset),
    *("advanced after its hold", "a promotion is kept", "fewer samples than needed", "counting windows count nonsense"),
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


@pytest.fixture
def counted() -> Iterator[Counter[str]]:
    """What happens in one test, which does not count for the stories."""
    before = TALLY.copy()
    TALLY.clear()
    yield TALLY
    TALLY.clear()
    TALLY.update(before)


@pytest.mark.usefixtures("counted")
def test_crowding_within_a_wide_limit_is_no_trouble() -> None:
    # Given a small step, and a limit of the share that is a thousand times the odds
    story = Rollout()
    story.begin_in_earnest(compares=False)
    story.edit("sampleRatio", Action.HOLD, strict=False)

    # When requests crowd into the new arm at a hundred times the odds, all invariants hold, and time is proven as before
    story.pass_time("crowding", 60)

    assert story.target.status.step is not None
    assert story.target.status.step.percent > 5


@pytest.mark.parametrize("criterion", ["errorRate", "alerts"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_breach_at_a_moment_at_which_nothing_advances(counted: Counter[str], moment: str, criterion: str) -> None:
    # Given a story that has come to that moment, when a criterion breaks, then all invariants hold, and it has come so far
    story = Rollout()
    story.something_breaks(moment=moment, criterion=criterion, nth=0)

    assert counted[MOMENTS[moment]]
    assert wanted_percent(story.target.status) == 0


def _is_promoted_while_features_cannot_be_written(story: Rollout) -> None:
    story.a_promotion_is_asked_for_while_edited_features_cannot_be_written(
        opa=Toggle.ENABLED, cache=Toggle.DISABLED, before=False, meanwhile=True
    )
    assert wanted_percent(story.target.status) == 10


def _is_promoted_before_its_features_are_edited(story: Rollout) -> None:
    """Nobody has asked to leave out the bake of the new ones."""
    story.a_promotion_is_asked_for_while_edited_features_cannot_be_written(
        opa=Toggle.ENABLED, cache=Toggle.DISABLED, before=True, meanwhile=False
    )
    assert wanted_percent(story.target.status) == 5


def _loses_the_document_of_a_revert(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.the_document_of_a_revert_is_lost_before_its_status(criterion="errorRate", mangled=False)


def _has_its_flags_lowered(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.someone_writes_the_flags(percent=0, ours=True, rival=False, newer=1, kind="good", by="kubectl-edit")


def _has_its_flags_taken(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.someone_writes_the_flags(percent=30, ours=False, rival=True, newer=1, kind="good", by="")


def _is_a_week_of_the_migration(story: Rollout) -> None:
    for _ in range(3):
        story.days_pass_by_a_schedule(schedule=SchedulePreset.MIGRATION, kind="good", promoted=False)


def _is_held_in_its_steps(story: Rollout) -> None:
    story.ask(steps=plan_of((5, 10, 25), 12, hold=40))
    story.pass_time("good", 100)


def _is_skipped_past_an_approval(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.gate((10,), [])
    story.ask_for(RequestAction.SKIP, 25)
    story.pass_time("good", 20)


def _suffers_in_both_arms(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.pass_time("errors of both arms", 60)
    assert wanted_percent(story.target.status) == 5
    story.pass_time("good", 60)


def _is_slow_in_a_few_requests(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.pass_time("few are slow", 40)
    assert wanted_percent(story.target.status) > 5
    story.pass_time("a tenth is slow", 90)
    assert wanted_percent(story.target.status) == 0


def _needs_more_samples_than_there_are(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.edit_the_samples_needed(criterion="errorRate", samples=100_000, seconds=60, kind="good")
    assert wanted_percent(story.target.status) == 5


def _is_paused_in_the_middle(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.set_the_mode(mode=Mode.PAUSED, kind="good", seconds=20, for_good=False)
    story.pass_time("good", 6)


def _holds_what_is_bad(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.edit("errorRate", Action.HOLD)
    story.pass_time("errors", 20)


def _is_not_looked_at_for_a_while(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.tick(20.0, None, deliver=True)
    story.pass_time("good", 6)


def _is_promoted_before_its_window_is_full(story: Rollout) -> None:
    """It waits for the window, and for as long as the answers are old."""
    story.begin_in_earnest(compares=False)
    story.ask(steps=plan_of((5, 10, 25, 100), 600))
    story.go_wrong("the answers of Prometheus are old")
    story.ask(criteria=story.target.spec.criteria.model_copy(update={"window": timedelta(seconds=40)}))
    story.ask_for(RequestAction.PROMOTE)
    story.pass_time("good", 60)


def _begins_with_two_policies(story: Rollout) -> None:
    story.target.sidecars["gw-0"].policy = "policy-2"
    story.pass_time("good", 20)
    assert story.target.status.step is None
    story.calm_down(20)


def _begins_anew_with_a_sidecar_that_does_not_hear(story: Rollout) -> None:
    story.come_to("completed")
    story.target.sidecars["gw-1"].following = False
    story.ask(attempt=2)
    story.pass_time("good", 30)
    assert story.target.status.step is None


def _is_approved_too_early(story: Rollout) -> None:
    """The approval is too old when the step is proven."""
    story.an_approval_comes_early(asked_after=8, valid_for=5, kind="good")
    assert wanted_percent(story.target.status) == 5


def _is_approved_in_time(story: Rollout) -> None:
    story.an_approval_comes_early(asked_after=8, valid_for=60, kind="good")
    assert wanted_percent(story.target.status) == 10


def _is_begun_by_operators_that_die_between_two_writes(story: Rollout) -> None:
    story.pass_time("good", 20, dying=1)
    story.pass_time("errors", 8, dying=1)
    assert wanted_percent(story.target.status) == 0


def _has_no_counting_windows(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.counting_windows_stay_away(seconds=100, how="counting windows cannot be read")


def _has_counting_windows_that_count_nonsense(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.counting_windows_stay_away(seconds=100, how="counting windows count nonsense")


def _is_tried_again_once(story: Rollout) -> None:
    story.ask(rollback=Rollback(retry=Retry(limit=1, after=timedelta(seconds=30))))
    story.begin_in_earnest(compares=False)
    for _ in range(2):
        story.pass_time("errors", 10)
        story.pass_time("good", 80)
    assert (wanted_percent(story.target.status), story.target.status.retries) == (0, 1)


def _is_asked_for_another_attempt(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.ask(request=Request(id=1, action=RequestAction.PROMOTE, attempt=2, percent=5))
    story.pass_time("good", 6)
    assert wanted_percent(story.target.status) == 5


def _leaves_edits_of_others_alone(story: Rollout) -> None:
    """Its document would have to be renewed meanwhile."""
    story.begin_in_earnest(compares=False)
    story.come_to("others own the flags")
    story.pass_time("good", 40)


def _finds_older_flags_of_a_rival(story: Rollout) -> None:
    story.begin_in_earnest(compares=False)
    story.pass_time("good", 30)
    story.someone_writes_the_flags(percent=30, ours=False, rival=True, newer=-1, kind="good", by="")


def _has_been_watched_for_long_enough(story: Rollout) -> None:
    story.come_to("completed")
    story.ask(watch_after=timedelta(seconds=4))
    story.pass_time("good", 6)
    story.pass_time("errors", 20)
    assert wanted_percent(story.target.status) == 100


def _is_half_seen_while_pods_come_and_go(story: Rollout) -> None:
    """It lasts for rollback.blindFor all the same."""
    story.begin_in_earnest(compares=False)
    for trouble, seconds in (("a sidecar is not scraped", 30), ("pods cannot be listed", 10), ("", 30)):
        if trouble:
            story.go_wrong(trouble)
        else:
            story.target.pods_missing = None
        story.pass_time("good", seconds)


@pytest.mark.parametrize(
    ("told", "comes_to"),
    [
        (_is_promoted_while_features_cannot_be_written, "a promotion is kept"),
        (_is_promoted_before_its_features_are_edited, "FeaturesEdited"),
        (_loses_the_document_of_a_revert, "a sidecar was told of less"),
        (_has_its_flags_lowered, "flags in force say less"),
        (_has_its_flags_taken, "a rival's flags in force"),
        (_is_a_week_of_the_migration, "raised by the schedule Migration"),
        (_is_held_in_its_steps, "advanced after its hold"),
        (_is_skipped_past_an_approval, "Skip granted"),
        (_suffers_in_both_arms, "raised"),
        (_is_slow_in_a_few_requests, "advanced on proof"),
        (_needs_more_samples_than_there_are, "fewer samples than needed"),
        (_is_paused_in_the_middle, "ResumedByUser"),
        (_holds_what_is_bad, "errorRate breached: Hold"),
        (_is_not_looked_at_for_a_while, "bake surely counts"),
        (_is_half_seen_while_pods_come_and_go, "BlindTooLong"),
        (_begins_with_two_policies, "Started"),
        (_begins_anew_with_a_sidecar_that_does_not_hear, "AttemptRaised"),
        (_is_approved_too_early, "StepApproved"),
        (_is_approved_in_time, "StepApproved"),
        (_is_begun_by_operators_that_die_between_two_writes, "raised"),
        (_has_no_counting_windows, "counting windows cannot be read"),
        (_has_counting_windows_that_count_nonsense, "counting windows count nonsense"),
        (_is_tried_again_once, "Retried"),
        (_is_asked_for_another_attempt, "Promote refused"),
        (_leaves_edits_of_others_alone, "FlagsHeld"),
        (_finds_older_flags_of_a_rival, "a rival's flags in force"),
        (_has_been_watched_for_long_enough, "rests"),
        (_is_promoted_before_its_window_is_full, "advanced before its bake was over"),
    ],
)
def test_a_rollout_that(counted: Counter[str], told: Callable[[Rollout], None], comes_to: str) -> None:
    # Given a rollout of which one story is told, then all invariants hold in it, and it comes to what it is about
    told(Rollout())

    assert counted[comes_to]


def test_the_stories_were_not_idle() -> None:
    stories = TALLY["stories"]
    if not stories:
        pytest.skip("the stories were not played")
    said = f"{stories:,} stories, SEED={SEED}"
    print("\n".join(("", said, *(f"{number:9,}  {what}" for what, number in TALLY.most_common()))))  # noqa: T201 - shown with -s
    few = 90 if SEED == ALWAYS_THE_SAME else FEW
    troubles = [*TROUBLES] if stories >= FEW else []  # each of them comes two or three times in a hundred, by chance
    expected = (IN_A_HUNDRED if stories >= few else []) + troubles + (IN_MANY if stories >= MANY else [])
    assert [what for what in expected if not TALLY[what]] == []
