"""The process's entry: what it loads."""

from __future__ import annotations

import subprocess
import sys


def test_an_operator_without_a_page_loads_neither_its_framework_nor_what_delivers_notices():
    script = "import sys; from sark_operator import __main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sark_operator.shell.operator" in loaded
    assert not loaded & {"sark_operator.page.server", "starlette", "uvicorn", "jinja2", "anyio", "apprise", "pandas", "numpy"}
