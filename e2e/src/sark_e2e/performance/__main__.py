"""`python -m sark_e2e.performance`: measure, section by section, and write the report of what was measured."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sark_e2e.program import ROOT
from sark_e2e.progress import to_stderr

from .raw import SECTIONS, SUITE, RawError, folder, read_run
from .report.appendix import FOLDER
from .report.facts import NoSourceError
from .report.generate import markdown
from .scenarios import DEFAULT_SCALE

PAGE: Final = ROOT / "docs" / "PERFORMANCE_REPORT.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; return 1 when a measurement failed or the report lacks a figure."""
    options = _options(arguments)
    began = time.monotonic()
    if not options.report_only:
        if not options.only and not options.match:
            for section in SECTIONS:
                shutil.rmtree(folder(section, options.run), ignore_errors=True)
        for section in options.only or SECTIONS:
            if measure(section, options) != 0:
                to_stderr(f"error: {section} could not be measured; the report was not written")
                return 1
            to_stderr(f"== {section} done, {time.monotonic() - began:.0f} s since the beginning")
        if options.only or options.match:
            to_stderr("measured; when all sections are there: python -m sark_e2e.performance --report-only")
            return 0
    try:
        write(options.run, options.output)
    except (RawError, NoSourceError) as error:
        to_stderr(f"error: {error}")
        return 1
    to_stderr(f"{options.output} is written ({time.monotonic() - began:.0f} s)")
    return 0


def measure(section: str, options: argparse.Namespace) -> int:
    """Run the tests of one section, and return pytest's exit status."""
    to_stderr(f"== {section}, scale {options.scale:.4g}")
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(SUITE / section),
        "-q",
        "-s",
        "-x",
        "-p",
        "no:cacheprovider",
        "--benchmark-quiet",
    ]
    command += ["--scale", str(options.scale), "--run", options.run]
    # A warning is no wrong figure.
    command += ["-W", "default"]
    if options.match:
        command += ["-k", options.match]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def write(run: str, page: Path) -> None:
    """Write the report and its charts. Raises RawError, NoSourceError."""
    from .report.plots import draw

    raws = read_run(run)
    text = markdown(raws, root=ROOT, page=page)
    draw(raws, page.parent / FOLDER)
    page.write_text(text, encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.performance", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=DEFAULT_SCALE, help="1 measures as long as the report plans; default 1/60"
    )
    parser.add_argument("--run", default="latest", help="name of the folder below reports/; default: latest")
    parser.add_argument(
        "--only", action="append", choices=SECTIONS, help="measure one section and write no report; again for more"
    )
    parser.add_argument(
        "--match", default="", metavar="WORDS", help="of the sections only the tests that pytest's -k finds by it"
    )
    parser.add_argument("--report-only", action="store_true", help="measure nothing; write the report of what there is")
    parser.add_argument("--output", type=Path, default=PAGE, help=f"default: {PAGE.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    if not 0 < options.scale <= 1:
        parser.error(f"--scale is {options.scale}; it must be above 0 and at most 1")
    options.output = options.output.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
