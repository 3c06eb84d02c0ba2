"""The example rollout, adapted to where it runs."""

from __future__ import annotations

import yaml

from sark_api.spec import SarkRolloutSpec
from sark_e2e.example import EXAMPLE, merged, quick


def test_edits_are_laid_over_the_example_and_the_result_is_a_spec():
    # Given the example as it is committed
    spec = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["spec"]

    # When it is made quick, with a criterion of the test's own
    quicker = merged(spec, quick(25, 100, latencyP95={"action": "Warn"}))

    # Then what was edited has changed, and what was not has not
    read = SarkRolloutSpec.model_validate(quicker)
    assert [step.percent for step in read.plan()] == [25, 100]
    assert read.criteria.latency_p95.action == "Warn"
    assert read.criteria.latency_p95.min_samples == 20
    assert read.criteria.latency_p95.limit_percent_of_baseline == spec["criteria"]["latencyP95"]["limitPercentOfBaseline"]
    assert quicker["rollback"] == spec["rollback"]


def test_laying_over_changes_neither_of_the_two():
    base, over = {"a": {"b": 1, "c": [1]}}, {"a": {"c": [2], "d": {"e": 3}}}
    assert merged(base, over) == {"a": {"b": 1, "c": [2], "d": {"e": 3}}}
    assert base == {"a": {"b": 1, "c": [1]}}
    assert over == {"a": {"c": [2], "d": {"e": 3}}}


def test_a_mapping_replaces_what_is_none_and_a_value_replaces_a_mapping():
    assert merged({"a": 1, "b": {"c": 2}}, {"a": {"d": 3}, "b": 4}) == {"a": {"d": 3}, "b": 4}
