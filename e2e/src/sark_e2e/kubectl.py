"""kubectl as one user: what a person types, run by a test or the demonstration."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from .binaries import kubectl

TIMEOUT_SECONDS: Final = 60


class KubectlError(RuntimeError):
    """kubectl failed; the message is the command and what it said."""


class Kubectl:
    """Runs kubectl with one kubeconfig. Its caches stay out of the user's home."""

    def __init__(self, kubeconfig: Path) -> None:
        self.path = kubectl()
        self._kubeconfig = kubeconfig

    def run(self, *arguments: str, stdin: str = "", seconds: float = TIMEOUT_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return the finished process, whether it succeeded or not."""
        cache = self._kubeconfig.parent / "kubectl-cache"
        command = [str(self.path), f"--kubeconfig={self._kubeconfig}", f"--cache-dir={cache}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)

    def __call__(self, *arguments: str, stdin: str = "", seconds: float = TIMEOUT_SECONDS) -> str:
        """Run kubectl and return what it printed. Raises KubectlError when it fails."""
        done = self.run(*arguments, stdin=stdin, seconds=seconds)
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout
