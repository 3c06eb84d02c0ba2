"""`make false-reverts`: the tables of docs/statistics.md."""

from __future__ import annotations

import argparse

from .arms import Arms
from .memory import Memory
from .tables import TABLES, print_healthy, print_memory


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.false_reverts", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="bakes of 48 h per line (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", choices=TABLES, action="append", help="print this table only (may be repeated)")
    parser.add_argument("--line", nargs=3, type=float, metavar=("PER_MINUTE", "RATE", "RHO"), help="print this line only")
    parser.add_argument("--memory", nargs=2, type=float, metavar=("GROWTH", "LASTS"), help="print this line of memory only")
    options = parser.parse_args()
    if options.line:
        print_healthy(options.runs, options.seed, (Arms(int(options.line[0]), *options.line[1:]),))
    if options.memory:
        growth, lasts = options.memory
        print_memory(options.runs, options.seed, (Memory(growth, lasts=lasts),))
    if not options.line and not options.memory:
        for name in options.table or TABLES:
            TABLES[name](options.runs, options.seed)


if __name__ == "__main__":
    main()
