"""The five charts, drawn from raw files by matplotlib, which is imported only here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sark_e2e.performance.raw import Raw

from .cell import shown
from .facts import Facts, Measurement

COLOURS: Final = {"python": "#3b6ea5", "rust": "#d9622b", "dashmap": "#8a8f98"}
_NAMES: Final = {"python": "Python arm", "rust": "Rust arm", "dashmap": "DashMap"}
_PERCENTILES: Final = ("p50", "p95", "p99")
_INK: Final = "#2b2f36"
_WIDTH: Final = 0.8


def draw(raws: Mapping[Path, Raw], folder: Path) -> list[Path]:
    """Write every chart into `folder` and return their paths. Raises NoSourceError for what was not measured."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    facts = Facts(raws)
    folder.mkdir(parents=True, exist_ok=True)
    style: Any = {
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "axes.titlesize": 13,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.axisbelow": True,
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "grid.color": "#d9dce1",
        "legend.frameon": False,
    }
    written = []
    with mpl.rc_context(style):
        for name, chart in _CHARTS.items():
            figure = chart(facts, plt)
            path = folder / name
            figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": ""})
            plt.close(figure)
            written.append(path)
    return written


def _opa_latency(facts: Facts, pyplot: Any) -> Any:
    figure, both = pyplot.subplots(1, 2, figsize=(10.5, 4.6), sharey=True)
    for axes, (policy, title) in zip(
        both, (("simple", "Simple policy (RBAC)"), ("complex", "Complex policy (multi-tenant)")), strict=True
    ):
        measured = {arm: facts.of("benchmarks", f"engine-{policy}", arm) for arm in ("python", "rust")}
        names = {"python": "OPA over HTTP, aiohttp", "rust": "engine, in process"}
        _bars(
            axes,
            {names[arm]: (COLOURS[arm], [_value(each, name) for name in _PERCENTILES]) for arm, each in measured.items()},
            _PERCENTILES,
        )
        axes.set_title(title)
    both[0].set_ylabel("latency (logarithmic)")
    both[0].legend(loc="upper left")
    return figure


def _cache_performance(facts: Facts, pyplot: Any) -> Any:
    figure, both = pyplot.subplots(1, 3, figsize=(12, 4.6), sharey=True)
    for axes, (operation, title) in zip(both, (("get", "GET (hit)"), ("set", "SET"), ("delete", "DELETE")), strict=True):
        bars = {}
        for arm, name in (
            ("python", "Redis, asyncio and hiredis"),
            ("rust", "cache of the engine"),
            ("dashmap", "DashMap (no bound)"),
        ):
            measured = facts.of("benchmarks", f"cache-{operation}", arm)
            bars[name] = (COLOURS[arm], [_value(measured, percent) for percent in _PERCENTILES])
        _bars(axes, bars, _PERCENTILES)
        axes.set_title(title)
    both[0].set_ylabel("latency (logarithmic)")
    handles, labels = both[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, bbox_to_anchor=(0.5, -0.07))
    return figure


def _throughput(facts: Facts, pyplot: Any) -> Any:
    figure, axes = pyplot.subplots(figsize=(10.5, 4.4))
    for arm in ("python", "rust"):
        measured = facts.of("load", "target", arm, "open-loop")
        series = measured.raw.series["throughput"]
        # The last second is not a whole one.
        axes.plot(
            series.at[:-1],
            series.values[:-1],
            color=COLOURS[arm],
            linewidth=2,
            label=f"{_NAMES[arm]}: p95 {shown(_value(measured, 'p95'), 'ms')}",
        )
    rate = _value(facts.of("load", "target", "rust", "open-loop"), "rate")
    axes.axhline(rate, color=_INK, linewidth=1, linestyle=(0, (4, 4)))
    axes.annotate(
        f"asked: {rate:,.0f}/s",
        (1, rate),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        xytext=(0, 3),
        textcoords="offset points",
    )
    axes.set(
        title="Answers in each second of the target load",
        xlabel="seconds since the load began (users come at first)",
        ylabel="answers a second",
    )
    axes.set_ylim(0, rate * 1.25)
    axes.grid(axis="y")
    axes.legend(loc="center right")
    return figure


def _memory(facts: Facts, pyplot: Any) -> Any:
    figure, axes = pyplot.subplots(figsize=(10.5, 4.4))
    hours = 0.0
    for arm in ("python", "rust"):
        measured = facts.of("memory", "stability", arm)
        series, hours = measured.raw.series["memory"], _value(measured, "hours")
        unit = 3600 if hours >= 2 else 60
        slope = shown(_value(measured, "slope"), "MB/h")
        axes.plot(
            [at / unit for at in series.at],
            series.values,
            color=COLOURS[arm],
            linewidth=2,
            label=f"{_NAMES[arm]}'s sidecar: {slope}",
        )
    word = "hours" if hours >= 2 else "minutes"
    axes.set(title=f"Resident memory, {shown(hours, 'h')} of 24 h", xlabel=f"{word} since the first question", ylabel="MB")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.legend(loc="lower right")
    return figure


def _cpu(facts: Facts, pyplot: Any) -> Any:
    figure, axes = pyplot.subplots(figsize=(10.5, 4.4))
    for arm in ("python", "rust"):
        measured = facts.of("stress", "maximum-throughput", arm)
        series = measured.raw.series["cpu-by-rate"]
        held = _value(measured, "held-rate")
        axes.plot(
            series.at,
            series.values,
            color=COLOURS[arm],
            linewidth=2,
            marker="o",
            markersize=5,
            label=f"{_NAMES[arm]}: held {held:,.0f}/s",
        )
        lost = [(rate, cpu) for rate, cpu in zip(series.at, series.values, strict=True) if rate > held]
        axes.plot(
            [rate for rate, _ in lost],
            [cpu for _, cpu in lost],
            color=COLOURS[arm],
            marker="x",
            markersize=11,
            markeredgewidth=2.5,
            linestyle="none",
        )
    axes.set(
        title="Processor time of the arm's servers (x: no longer kept up)",
        xlabel="questions asked a second (logarithmic)",
        ylabel="percent of one core",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.legend(loc="upper left")
    return figure


def _bars(axes: Any, bars: Mapping[str, tuple[str, list[float]]], labels: tuple[str, ...]) -> None:
    width = _WIDTH / len(bars)
    for place, (name, (colour, values)) in enumerate(bars.items()):
        at = [number - _WIDTH / 2 + width * (place + 0.5) for number in range(len(labels))]
        drawn = axes.bar(at, values, width * 0.94, color=colour, label=name)
        axes.bar_label(drawn, labels=[shown(value, "ms").replace(" ", "\n") for value in values], fontsize=8, padding=2)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, "ms"))
    axes.set_xticks(range(len(labels)), labels)
    axes.tick_params(axis="x", length=0)
    axes.margins(y=0.22)
    axes.grid(axis="y")


def _value(measured: Measurement, name: str) -> float:
    return measured.cell(name).value


_CHARTS: Final[Mapping[str, Callable[[Facts, Any], Any]]] = {
    "opa-latency.png": _opa_latency,
    "cache-performance.png": _cache_performance,
    "throughput.png": _throughput,
    "memory-24h.png": _memory,
    "cpu-usage.png": _cpu,
}
