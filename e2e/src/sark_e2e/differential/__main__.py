"""`python -m sark_e2e.differential`: compare the embedded engine with a real OPA server for a while."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

from sark_e2e import binaries
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import to_stderr

from .campaign import SOURCES, Campaign, Plan
from .comparison import Comparison
from .corpus import Specimen, corpus, specimen
from .known import known_differences
from .oracle import Oracle

CORPUS: Final = ROOT / "tests" / "differential" / "corpus"
KNOWN: Final = ROOT / "tests" / "differential" / "known"
EXAMPLE: Final = ROOT / "examples" / "policies"
ACCESS: Final = ROOT / "examples" / "access"


def known_specimens() -> list[Specimen]:
    """Return the policies of the corpus and of the examples. Raises OSError, ValueError."""
    return [*corpus(CORPUS), specimen(EXAMPLE), specimen(ACCESS / "policies", name="access", inputs=ACCESS / "inputs.json")]


def main(arguments: list[str] | None = None) -> int:
    """Compare, print the counts, and return 1 when a different answer was found."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.differential", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to compare (default: 60)")
    parser.add_argument("--seed", type=int, help="makes a run again; default: a new one, which is printed")
    parser.add_argument("--sources", default=",".join(SOURCES), help=f"of {', '.join(SOURCES)}; default: all")
    parser.add_argument("--inputs", type=int, default=40, help="inputs for each policy (default: 40)")
    parser.add_argument("--findings", type=Path, default=ROOT / ".cache" / "differential", help="folder for what is found")
    parser.add_argument("--most-findings", type=int, default=20, help="stop after so many (default: 20)")
    parser.add_argument("--strict", action="store_true", help="report also what tests/differential/known has")
    asked = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1 << 32) if asked.seed is None else asked.seed
    plan = Plan(
        seed,
        asked.seconds,
        known_specimens(),
        tuple(asked.sources.split(",")),
        asked.inputs,
        asked.most_findings,
        known=[] if asked.strict else known_differences(KNOWN),
    )
    to_stderr(f"seed {seed}, {asked.seconds:.0f} s, sources {', '.join(plan.sources)}")
    try:
        binary = binaries.program("opa", report=to_stderr)
    except ProgramError as error:
        to_stderr(f"error: {error}")
        return 2
    with tempfile.TemporaryDirectory() as folder, LoopbackNetwork() as network:
        policies = Path(folder) / "policies"
        policies.mkdir()
        with (
            OpaServer(binary, network=network, folder=Path(folder), policies=policies) as server,
            Comparison(Oracle(server.url, server.revive)) as comparison,
        ):
            campaign = Campaign(plan, comparison, asked.findings, to_stderr)
            campaign.run()
    for source, tally in campaign.tallies.items():
        print(f"\n{source}", *tally.lines(), sep="\n")
    print(f"\nseed {seed}: {len(campaign.findings)} findings{f' in {asked.findings}' if campaign.findings else ''}")
    return 1 if campaign.findings else 0


if __name__ == "__main__":
    sys.exit(main())
