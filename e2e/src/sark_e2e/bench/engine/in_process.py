"""The complex policy evaluated in process: the engine, both of regorus', and `opa bench`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from .client import Evaluation, OpaBench, evaluate, opa_bench
from .finding import Finding, at_least
from .setting import Measured, Setting

ROW: Final = "evaluation"
_ENGINES: Final = {"sark": "engine", "interpreter": "regorus' interpreter", "rvm": "regorus' virtual machine"}


def measure(setting: Setting) -> Measured:
    """Measure in rounds over all of them. Raises BenchError, also when one gives another result than OPA."""
    files = setting.complex
    found: dict[str, list[Evaluation]] = {name: [] for name in _ENGINES}
    opa: list[OpaBench] = []
    for number in range(1, setting.effort.rounds + 1):
        setting.report(f"evaluation in process, round {number} of {setting.effort.rounds}")
        for name in _ENGINES:
            found[name].append(
                evaluate(
                    setting.programs.bench,
                    engine=name,
                    policies=files.corpus.policies,
                    cases=files.cases,
                    seconds=setting.effort.seconds,
                )
            )
        opa.append(
            opa_bench(setting.programs.opa, policies=files.corpus.policies, path=files.corpus.path, question=files.input)
        )
    details: dict[str, Any] = {name: [asdict(each) for each in runs] for name, runs in found.items()}
    return Measured(_findings(found, opa, files.corpus.name), details | {"opa bench": [asdict(each) for each in opa]})


def _findings(found: dict[str, list[Evaluation]], opa: list[OpaBench], case: str) -> list[Finding]:
    times = {name: [run.named(case) for run in runs] for name, runs in found.items()}
    # Both sides have a parsed input before and a written result after: OPA's timer includes turning its terms into Go values.
    own = [each.evaluate_us + each.serialise_us for each in times["sark"]]
    ratios = tuple(theirs.evaluate_us / mine for theirs, mine in zip(opa, own, strict=True))
    findings = [
        Finding(ROW, "opa bench: evaluation by ours", ratios, "x", at_least(8)),
        Finding(ROW, "opa bench: evaluation", tuple(each.evaluate_us for each in opa), "us"),
    ]
    for name, title in _ENGINES.items():
        for stage in ("parse", "evaluate", "serialise"):
            figures = tuple(getattr(each, f"{stage}_us") for each in times[name])
            findings.append(Finding(ROW, f"{title}: {stage}", figures, "us"))
    return findings
