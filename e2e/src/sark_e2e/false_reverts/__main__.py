"""`make false-reverts`: the tables of docs/statistics.md, and with `--check` whether they are as promised."""

from __future__ import annotations

import argparse
import sys

from .arms import Arms
from .memory import Memory
from .promise import DOUBT, LEAST_RUNS, unkept
from .tables import TABLES, print_healthy, print_memory


def main() -> None:
    """Print the tables; end with 1 where they are to be checked and chance does not explain what was measured."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.false_reverts", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="bakes of 48 h per line (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", choices=TABLES, action="append", help="print this table only (may be repeated)")
    parser.add_argument("--line", nargs=3, type=float, metavar=("PER_MINUTE", "RATE", "RHO"), help="print this line only")
    parser.add_argument("--memory", nargs=2, type=float, metavar=("GROWTH", "LASTS"), help="print this line of memory only")
    parser.add_argument("--check", action="store_true", help="fail when a promise was broken more often than chance explains")
    options = parser.parse_args()
    if options.check and options.runs < LEAST_RUNS:
        parser.error(f"--check needs --runs {LEAST_RUNS} or more: with fewer, chance explains anything")
    promises = []
    if options.line:
        promises += print_healthy(options.runs, options.seed, (Arms(int(options.line[0]), *options.line[1:]),))
    if options.memory:
        growth, lasts = options.memory
        promises += print_memory(options.runs, options.seed, (Memory(growth, lasts=lasts),))
    if not options.line and not options.memory:
        for name in options.table or TABLES:
            promises += TABLES[name](options.runs, options.seed)
    if not options.check:
        return
    if broken := unkept(promises):
        sys.exit("\n".join(f"error: {sentence}." for sentence in broken))
    print(f"\n{len(promises)} promises kept (seed {options.seed}; where all are kept, a check fails with a chance of {DOUBT})")


if __name__ == "__main__":
    main()
