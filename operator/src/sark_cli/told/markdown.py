"""A story as Markdown. Its charts are lines of blocks, which every reader of text can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sark_api.duration import format_duration
from sark_api.evidence import EvidenceRecord
from sark_api.status import CriterionStatus
from sark_cli.explanation import share
from sark_cli.times import age, moment

from .story import Chart, Line, Story

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#"} | {"\n": " ", "\r": " "})


def markdown(story: Story) -> str:
    """Return the whole report."""
    return "\n".join(_lines(story)) + "\n"


def figure(value: float, unit: str) -> str:
    """Return a number with its unit, as in 1,234/s, 0.5% or 12.3 ms."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
    return f"{text}/s" if unit == "1/s" else f"{text}{unit}" if unit == "%" else f"{text} {unit}"


def sparkline(values: Sequence[float]) -> str:
    """Return the values as blocks of eight heights from zero to the largest, at most sixty of them."""
    groups = [values[place * len(values) // _WIDTH : (place + 1) * len(values) // _WIDTH] for place in range(_WIDTH)]
    means = [sum(group) / len(group) for group in groups if group] if len(values) > _WIDTH else list(values)
    most = max(means, default=0.0)
    if most <= 0:
        return _BLOCKS[0] * len(means)
    return "".join(_BLOCKS[min(int(max(value, 0) / most * (len(_BLOCKS) - 1) + 0.5), len(_BLOCKS) - 1)] for value in means)


def _lines(story: Story) -> Iterator[str]:
    rollout = story.rollout
    status = rollout.status
    yield f"# Rollout {_text(rollout.name)}"
    yield ""
    yield f"It is **{status.phase}** ({_text(status.reason or 'no reason yet')}): {_text(status.message or 'no status yet')}"
    yield ""
    yield f"From {moment(story.begins)} to {moment(story.ends)}, {age(story.ends - story.begins)}; decisions: {len(story.records)}."
    for doubt in story.doubts:
        yield ""
        yield f"**Careful**: {_text(doubt)}"
    yield ""
    yield "## What happened"
    yield ""
    if not story.records:
        yield "Nothing has been decided yet."
    else:
        yield "| no | time | share | what | by | after |"
        yield "| ---: | --- | --- | --- | --- | ---: |"
        yield from _rows(story.records)
    if status.revert is not None:
        yield ""
        yield from _way_back(story)
    yield ""
    yield "## What Prometheus saw"
    for chart in story.charts:
        yield from _chart(chart)
    for record in story.records:
        yield from _record(record)


def _rows(records: Sequence[EvidenceRecord]) -> Iterator[str]:
    before = records[0].time
    for record in records:
        yield (
            f"| {record.number} | {moment(record.time)} | {share(record)} | {_text(record.reason)} | {_text(record.actor)} "
            f"| {age(record.time - before)} |"
        )
        before = record.time


def _way_back(story: Story) -> Iterator[str]:
    revert = story.rollout.status.revert
    if revert is None:
        return
    cause = f"by `{_text(revert.criterion)}`" if revert.criterion else f"({_text(revert.reason)})"
    yield f"It went back from {revert.from_percent}% {cause}, decided at {moment(revert.decided_at)}."
    if revert.completed_at is not None:
        seconds = (revert.completed_at - revert.decided_at).total_seconds()
        yield f"The last sidecar was on the baseline {seconds:.1f} s after the decision."


def _chart(chart: Chart) -> Iterator[str]:
    yield ""
    yield f"### {_text(chart.title)}"
    yield ""
    if chart.missing:
        yield f"Not shown: {_text(chart.missing)}."
        return
    yield "| | least | median | most | last | over time |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for line in chart.lines:
        yield _numbers(line, chart)


def _numbers(line: Line, chart: Chart) -> str:
    values = line.values
    ordered = sorted(values)
    shown = [figure(each, chart.unit) for each in (ordered[0], ordered[len(ordered) // 2], ordered[-1], values[-1])]
    return f"| {_text(line.name)} | {' | '.join(shown)} | {sparkline(values)} |"


def _record(record: EvidenceRecord) -> Iterator[str]:
    yield ""
    yield f"## Decision {record.number}: {_text(record.reason)}, {share(record)}"
    yield ""
    yield f"{moment(record.time)}, by {_text(record.actor)}. {_text(record.message)}"
    yield ""
    window, counted = (
        format_duration(timedelta(seconds=each)) for each in (record.window_seconds, record.counting_window_seconds)
    )
    yield f"Policies `{_text(record.policy_revision[:12]) or 'not one for all'}`, flag revision {record.revision}, window {window}, counted in {counted}."
    if record.criteria:
        yield ""
        yield "| criterion | verdict | value | limit | samples | evidence | on breach |"
        yield "| --- | --- | ---: | ---: | ---: | --- | --- |"
        yield from (_criterion(each) for each in record.criteria)


def _criterion(each: CriterionStatus) -> str:
    evidence = f"{each.evidence} of {each.evidence_needed}" if each.evidence else "-"
    cells = (each.name, each.verdict, each.value or "-", each.limit or "-", f"{each.samples:,}", evidence, each.action)
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(text: str) -> str:
    """Return text in which nothing is markup."""
    return str(text).translate(_SPECIAL)
