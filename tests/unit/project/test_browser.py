"""tools/browser.sh finds a browser, or says in one sentence why there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools" / "browser.sh"
TOOLS = ("grep", "mktemp", "rm", "sh", "tail", "timeout")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the only programs there are: no browser, and a user who is not root."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    add(tmp_path, "id", "echo 1000")
    return tmp_path


def add(programs: Path, name: str, script: str) -> None:
    (programs / name).unlink(missing_ok=True)
    (programs / name).write_text(f"#!{shutil.which('sh')}\n{script}\n", encoding="utf-8")
    (programs / name).chmod(0o755)


def run(programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(programs / "sh"), str(SCRIPT)],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_browser_that_is_there_is_taken(programs: Path):
    add(programs, "google-chrome", "exit 1")
    assert run(programs).stdout == f"browser: {programs / 'google-chrome'}\n"


def test_who_may_not_install_is_told_what_to_install(programs: Path):
    done = run(programs)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no browser: none of chromium chromium-browser google-chrome is on PATH; install one")
    assert done.stderr.count("\n") == 1


def test_root_gets_debians(programs: Path):
    # Given an apt-get that installs only what it has listed, and asks nobody
    add(programs, "id", "echo 0")
    (programs / "cp").symlink_to(str(shutil.which("cp")))
    add(
        programs,
        "apt-get",
        f'cd {programs}; case "$*" in *update*) echo >listed ;; *install*chromium*) [ -e listed ] && cp id chromium ;; esac',
    )

    # When a browser is wanted, then it is there
    done = run(programs)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"browser: {programs / 'chromium'}\n")


def test_an_apt_that_fails_is_quoted_in_one_sentence(programs: Path):
    add(programs, "id", "echo 0")
    add(programs, "apt-get", 'case "$*" in *update*) ;; *) echo "E: Unable to locate package chromium"; exit 100 ;; esac')
    done = run(programs)
    assert done.returncode == 1
    assert done.stderr == "error: no browser: apt-get could not install chromium: E: Unable to locate package chromium\n"
