"""What a person receives of each transition, character by character, as the operator's core decides it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.reasons import REASONS
from sark_api.spec import (
    Approval,
    Approvals,
    Features,
    FlagEdits,
    Mode,
    OnExpiry,
    Request,
    RequestAction,
    Retry,
    Rollback,
    Step,
    Toggle,
)
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.notices import Notice, from_now_on, untold
from sark_operator.core.observation import Missing
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.apprise_addresses import CONDITIONS, AppriseFile
from sark_operator.shell.notifier import told_text, told_title

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"

ROLLOUT = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "uid-1", "resourceVersion": "1"}})
BAD = {ARM_NEW: arm(errors=500), ARM_BASELINE: arm()}
TRANSITIONS = list(REASONS)[: list(REASONS).index("Baking")]
"""Each stands in the history, and is told; what comes after them in the table is why nothing happens."""


def steps(*percents: int, approval: Approval = Approval.NONE) -> list[Step]:
    plan = [Step(percent=percent, bake=timedelta(seconds=20)) for percent in percents]
    return [plan[0], plan[1].model_copy(update={"approval": approval}), *plan[2:]]


def at_25() -> SimulatedTarget:
    target = SimulatedTarget()
    target.ask(steps=steps(25, 50, 75, 100))
    target.run_to(25)
    target.run(3)
    return target


def goes_well() -> SimulatedTarget:
    target = SimulatedTarget()
    target.ask(steps=steps(25, 100))
    target.run_to(100)
    target.run(40)
    return target


def is_breached_and_tried_again() -> SimulatedTarget:
    target = at_25()
    target.ask(rollback=Rollback(retry=Retry(limit=1, after=timedelta(seconds=30))))
    target.tick(1)
    target.arms = BAD
    target.run(3)
    target.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    target.run(60)
    return target


def is_not_seen() -> SimulatedTarget:
    target = at_25()
    target.arms = Missing("MetricsUnreachable", "http://prometheus:9090 did not answer")
    target.run(80)
    return target


def is_rolled_back_and_begun_anew() -> SimulatedTarget:
    target = at_25()
    target.ask(mode=Mode.ROLLBACK)
    target.run(20)
    target.ask(mode=Mode.AUTO, attempt=2)
    target.run(20)
    return target


def is_deleted() -> SimulatedTarget:
    target = at_25()
    target.delete()
    target.run(3)
    return target


def was_reverted_by_one_that_died() -> SimulatedTarget:
    target = at_25()
    target.arms = BAD
    for _ in range(5):
        target.tick(1, die_after=1)
        if target.percent == 0:
            break
    target.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    target.run(3)
    return target


def written_by_another(target: SimulatedTarget, *, rollout: str, by: str = "") -> None:
    known = target.document
    assert known is not None
    flags = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=70)
    salt = known.salt if rollout == known.rollout else "uid-9"
    target.put(FlagDocument(feature_flags=flags, salt=salt, rollout=rollout, revision=known.revision + 1).sealed(), by=by)


def is_taken_over() -> SimulatedTarget:
    target = at_25()
    written_by_another(target, rollout="shop/other")
    target.run(3)
    return target


def is_paused() -> SimulatedTarget:
    target = at_25()
    target.ask(mode=Mode.PAUSED)
    target.run(2)
    target.ask(mode=Mode.AUTO)
    target.run(2)
    return target


def is_edited() -> SimulatedTarget:
    target = at_25()
    target.ask(steps=steps(25, 60, 100))
    target.run(2)
    target.ask(features=Features(cache=Toggle.DISABLED))
    target.run(2)
    target.ask(interval=timedelta(seconds=2))
    target.run(2)
    return target


def is_asked() -> SimulatedTarget:
    target = at_25()
    target.ask(steps=steps(25, 50, 75, 100, approval=Approval.REQUIRED))
    target.tick(1)
    wishes: list[dict[str, object]] = [
        {"action": RequestAction.APPROVE, "percent": 50},
        {"action": RequestAction.PROMOTE, "percent": 10},
        {"action": RequestAction.PROMOTE, "percent": 25},
        {"action": RequestAction.SKIP, "percent": 50, "to": 100},
    ]
    for number, wish in enumerate(wishes, start=1):
        target.ask(request=Request.model_validate({"id": number, "attempt": 1, "by": "ann", **wish}))
        target.run(2 if number < 3 else 12)
    return target


def waits_for_an_approval(on_expiry: OnExpiry) -> SimulatedTarget:
    target = at_25()
    target.ask(
        steps=steps(25, 50, 75, 100, approval=Approval.REQUIRED),
        approvals=Approvals(expire_after=timedelta(seconds=30), on_expiry=on_expiry),
    )
    target.run(80)
    return target


def has_flags_written_by_hand() -> SimulatedTarget:
    target = at_25()
    written_by_another(target, rollout=target.identity.key, by="kubectl-edit")
    target.run(3)
    target.put(None, error="not JSON: line 1 column 1")
    target.run(3)
    return target


def has_flags_held_by_hand() -> SimulatedTarget:
    target = at_25()
    target.ask(flag_edits=FlagEdits.HOLD)
    target.tick(1)
    target.put(target.document, by="kubectl-edit")
    target.run(3)
    return target


STORIES: dict[str, Callable[[], SimulatedTarget]] = {
    "it goes well": goes_well,
    "it is breached, and tried again": is_breached_and_tried_again,
    "it is not seen for too long": is_not_seen,
    "it is rolled back, and begun anew": is_rolled_back_and_begun_anew,
    "it is deleted": is_deleted,
    "an operator died between flags and status": was_reverted_by_one_that_died,
    "its flags are taken over": is_taken_over,
    "it is paused and resumed": is_paused,
    "it is edited": is_edited,
    "it is asked for": is_asked,
    "nobody approves, and it holds": lambda: waits_for_an_approval(OnExpiry.HOLD),
    "nobody approves, and it goes back": lambda: waits_for_an_approval(OnExpiry.REVERT),
    "its flags are written by hand": has_flags_written_by_hand,
    "its flags are held by hand": has_flags_held_by_hand,
}


def notices(story: Callable[[], SimulatedTarget]) -> Iterator[Notice]:
    """Yield what is told of a story from its beginning."""
    target = story()
    yield from untold(target.status.history, from_now_on([], target.now.replace(year=2025)))


def telling_people() -> str:
    """What the documentation says of notices."""
    return OPERATIONS.read_text(encoding="utf-8").partition("## Telling people")[2].partition("\n## ")[0]


def test_the_documented_notice_is_the_one_that_is_sent() -> None:
    breach = next(each for each in notices(is_breached_and_tried_again) if each.entry.reason == "CriterionBreached")

    assert f"```\n{told_title(ROLLOUT, breach)}\n\n{told_text(ROLLOUT, breach)}\n```" in telling_people()


def test_the_documented_conditions_are_those_there_are() -> None:
    documented = set(re.findall(r"(?:^|[\s`])([a-z]+)=(?=[\s`a-zA-Z])", telling_people(), re.MULTILINE))

    assert documented == {"warnings", *CONDITIONS}


def test_the_documented_file_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "urls"
    path.write_text(telling_people().split("```")[1].strip(), encoding="utf-8")

    everything, warnings, one_team = AppriseFile(path)()

    assert (everything.only_warnings, everything.rollouts, everything.reasons) == (False, (), ())
    assert warnings.only_warnings
    assert (one_team.rollouts, one_team.reasons) == (("shop/*", "billing/gateway"), ("CriterionBreached", "BaselineRestored"))


def test_all_of_a_notice_is_filled_in() -> None:
    for story in STORIES.values():
        for notice in notices(story):
            assert not set("{}") & set(told_title(ROLLOUT, notice) + told_text(ROLLOUT, notice))


def test_what_is_told_of_each_transition(golden: Callable[[str, str], None]) -> None:
    told: list[str] = []
    seen: set[str] = set()
    for name, story in STORIES.items():
        told.append(f"# {name}\n")
        for notice in notices(story):
            seen.add(notice.entry.reason)
            kind = "warning" if notice.warning else "info"
            told.append(f"[{kind}] {told_title(ROLLOUT, notice)}\n{told_text(ROLLOUT, notice)}\n")

    # Every transition there is has been told, and the sentences are those that were reviewed
    golden("notices.txt", "\n".join(told))
    assert seen == set(TRANSITIONS)
