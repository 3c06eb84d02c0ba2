"""What happens to a rollout without anybody meaning it: cluster, sidecars, Prometheus, clocks, and operators that die."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from sark_api.flags import FeatureFlags, FlagDocument
from sark_e2e.simulated_target import SimulatedSidecar

from .scene import Scene
from .symptoms import OF, SYMPTOMS
from .tally import noted
from .troubles import SIDECAR_TROUBLES, TROUBLES

KINDS = st.sampled_from(["good"] * 2 * len(SYMPTOMS) + sorted(SYMPTOMS))
DYING = st.sampled_from([None, None, None, 0, 1])
"""After how many writes the operator dies."""
WAITS = st.sampled_from([0.0, 0.0004, 0.3, 1.0, 2.0, 5.0, 20.0, 3600.0, -1.0, -30.0, -86_400.0])
NAMES = st.sampled_from(["gw-0", "gw-1", "gw-2", "gw-3"])


class Happenings(Scene):
    """The rules of everything that is not asked for."""

    @rule(kind=KINDS, after=WAITS, dying=DYING, deliver=st.booleans())
    def one_tick(self, kind: str, after: float, dying: int | None, deliver: bool) -> None:
        self.measure(kind)
        self.tick(after, dying, deliver=deliver)

    @rule(kind=KINDS, seconds=st.integers(1, 40), dying=DYING, deliver=st.booleans())
    def time_passes(self, kind: str, seconds: int, dying: int | None, deliver: bool) -> None:
        self.pass_time(kind, seconds, dying, deliver=deliver)

    @rule(kind=KINDS, dying=DYING, away=st.sampled_from([2.0, 20.0, 40.0]))
    def the_operator_is_away_and_all_looks_good_again(self, kind: str, dying: int | None, away: float) -> None:
        self.measure(kind)
        self.tick(2.0, dying, deliver=True)
        self.measure("good")
        self.tick(away, None, deliver=True)
        self.pass_time("good", 6)

    @rule(seconds=st.integers(5, 40))
    def all_is_well_for_a_while(self, seconds: int) -> None:
        self.calm_down(seconds)

    @rule(trouble=st.sampled_from(sorted(TROUBLES)), kind=KINDS, seconds=st.integers(2, 40), deliver=st.booleans())
    def something_goes_wrong(self, trouble: str, kind: str, seconds: int, deliver: bool) -> None:
        self.go_wrong(trouble)
        self.pass_time(kind, seconds, deliver=deliver)

    def go_wrong(self, trouble: str) -> None:
        noted(trouble)
        TROUBLES[trouble](self.target)

    @rule(
        seconds=st.sampled_from([20, 60, 100]),
        how=st.sampled_from(["counting windows cannot be read", "counting windows count nonsense"]),
    )
    def counting_windows_stay_away(self, seconds: int, how: str) -> None:
        self.calm_down(10)
        self.go_wrong(how)
        self.pass_time("good", seconds)
        self.target.windows_missing, self.target.windows_unsound = None, False
        self.pass_time("good", 6)

    @rule(kind=st.sampled_from(sorted(SYMPTOMS)), seconds=st.sampled_from([20, 70]), forgotten=st.booleans())
    def flags_are_refused_while_something_breaks(self, kind: str, seconds: int, forgotten: bool) -> None:
        self.calm_down(10)
        self.go_wrong("flags are refused")
        self.pass_time(kind, seconds)
        if forgotten:
            self.pass_time("good", 40)
        self.target.flags_refused = False
        self.pass_time("good", 6)

    @rule(age=st.sampled_from([4, 12, 30]))
    def the_answers_of_prometheus_are_old_for_a_while(self, age: int) -> None:
        self.calm_down(2)
        self.target.metrics_age = timedelta(seconds=age)
        self.pass_time("good", 60)
        self.target.metrics_age = timedelta(0)

    @rule(by=st.sampled_from([1, 5, 30]), kind=KINDS, seconds=st.integers(2, 40))
    def the_clock_of_the_next_operator_is_behind(self, by: int, kind: str, seconds: int) -> None:
        self.target.now -= timedelta(seconds=by)
        self.target.clock_ahead += timedelta(seconds=by)
        noted("the operator's clock is behind")
        self.pass_time(kind, seconds)

    @rule(trouble=st.sampled_from(SIDECAR_TROUBLES), name=NAMES, kind=KINDS, seconds=st.integers(2, 40), deliver=st.booleans())
    def a_sidecar_goes_wrong(self, trouble: dict[str, Any] | None, name: str, kind: str, seconds: int, deliver: bool) -> None:
        before = self.target.sidecars.pop(name, SimulatedSidecar())
        if trouble is not None:
            self.target.sidecars[name] = replace(before, **trouble)
        self.pass_time(kind, seconds, deliver=deliver)

    @rule(
        percent=st.sampled_from([0, 0, 5, 30, 100]),
        ours=st.booleans(),
        rival=st.booleans(),
        newer=st.integers(-2, 3),
        kind=KINDS,
        by=st.sampled_from(["", "kubectl-edit"]),
    )
    def someone_writes_the_flags(self, *, percent: int, ours: bool, rival: bool, newer: int, kind: str, by: str) -> None:
        flags = FeatureFlags(rust_opa_enabled=percent > 0, rust_cache_enabled=percent > 0, rollout_percentage=percent)
        rollout, salt = (self.target.identity.key, self.target.identity.uid) if ours else ("shop/other", "uid-0")
        revision = max(1, self.known_revision() + newer)
        self.target.put(FlagDocument(feature_flags=flags, salt=salt, rollout=rollout, revision=revision).sealed(), by=by)
        self.asked = True
        if rival and not ours:
            self.go_wrong("rival")
        self.pass_time(kind, 4)
        if rival and not ours:
            self.target.rival = ""
            self.pass_time("good", 4)

    @rule(criterion=st.sampled_from(sorted(OF)), mangled=st.booleans())
    def the_document_of_a_revert_is_lost_before_its_status(self, *, criterion: str, mangled: bool) -> None:
        """The operator dies in between, and its successor sees a good fleet: only the sidecars know."""
        self.calm_down(6)
        self.measure(OF[criterion][0])
        self.tick(2.0, 1, deliver=True)
        self.target.put(None, "not JSON" if mangled else "")
        self.pass_time("good", 10)
