"""The commands of the documentation are run: against a real API server, the built programs, and the project's own files.

Each is run as it is written, with the namespace, the files and the addresses of the test in place of those of the page. A
rollout nobody looks at stands in for a running one, so what waits for an operator is told not to wait; tests/integration/cli
has operators.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sark_cli.__main__ import main as sark_rollout
from sark_cli.exit_code import ExitCode
from sark_e2e import binaries
from sark_e2e.cluster import LocalCluster
from sark_e2e.documented import Command, commands
from sark_e2e.program import ROOT

BIN = Path(sys.executable).parent
STEERING = ("pause", "resume", "retry", "promote", "skip", "approve", "rollback")
REWRITES = (
    (r"\bFILE(\.\.\.)?|\brollout\.yaml\b", "{rollout}"),
    (r"\bPOD\b|\bNAME\b|\btools\b", "gateway"),
    (r"-n (shop|sark-system)\b", "-n {namespace}"),
    (r"\bUID\b", "00000000-0000-0000-0000-000000000000"),
)
"""What a page writes for the reader to replace, and what this test puts there."""

NOT_RUN = {
    "sark-operator": "runs until it is ended; tests/integration/operator starts it, and its options are looked at without",
    "make": "each takes minutes; `make --dry-run` has all targets in tests/unit/project",
    "pytest": "is a part of these very tests",
    "sark_e2e": "benchmarks and clusters; their options are checked against --help in tests/unit/project",
}
"""Programs whose commands are not run here, with the reason. May only shrink."""
NOT_RUN_VERBS = {
    "edit": "opens an editor",
    "logs": "there is no kubelet",
    "port-forward": "there is no kubelet",
    "rollout": "there is no kubelet",
}
"""Verbs of kubectl that are not run here, with the reason. May only shrink."""
UNSUITED = {
    "kubectl get": "names no resource; the sentence is about its columns",
    "kubectl sark-rollout": "names the plugin",
    "kubectl apply --server-side": "names a way of applying",
    "helm uninstall": "names the command",
    "kubectl delete pod": "names the command",
    "kubectl drain": "there is no kubelet",
    "helm upgrade": "names the command; tests/integration/chart renders what it would apply",
    "helm uninstall sark --namespace sark-system": "the release needs Helm's storage of a real installation",
    "sark-sidecar --config sidecar.yaml": "runs until it is ended; tests/integration/sidecar starts it",
    "sark-rollout rollback --all": "would reach past the test's namespace",
    "sark-rollout rollback --all --yes": "would reach past the test's namespace",
    "sark-rollout rollback --all-namespaces --yes": "would reach past the test's namespace",
    "sark-rollout backtest": "the same",
    "sark-rollout backtest FILE --prometheus http://prometheus:9090 --start 2026-01-01T12:00:00Z --end 2026-01-03T12:00:00Z": (
        "needs two days in a Prometheus; tests/integration/cli/test_backtest.py makes them"
    ),
}
"""Single commands that are not run, with the reason. May only shrink; what is gone from the pages must go here too."""


def told(command: Command) -> str:
    return shlex.join(command.words)


def name_of(command: Command) -> str:
    return command.program.split(".")[0]


def verb_not_run(command: Command) -> str:
    """Return the verb of kubectl for which it is not run, or nothing."""
    return next((word for word in command.words[1:] if command.program == "kubectl" and word in NOT_RUN_VERBS), "")


ALL = list(commands())
RUN = sorted({told(one) for one in ALL if name_of(one) not in NOT_RUN and not verb_not_run(one)} - set(UNSUITED))
"""What is run here, each once however often the pages say it."""


def test_the_lists_of_what_is_not_run_are_not_longer_than_they_must_be():
    assert [each for each in UNSUITED if each not in {told(one) for one in ALL}] == []
    assert [verb for verb in NOT_RUN_VERBS if verb not in map(verb_not_run, ALL)] == []
    assert [program for program in NOT_RUN if program not in {name_of(one) for one in ALL}] == []


@dataclass(frozen=True)
class Place:
    """Where the commands are run: a folder with the files the pages speak of, a namespace with a rollout `gateway` in it."""

    folder: Path
    namespace: str

    def here(self, text: str) -> str:
        """Return how a command reads here."""
        for pattern, replacement in REWRITES:
            text = re.sub(pattern, replacement.format(rollout=self.folder / "rollout.yaml", namespace=self.namespace), text)
        return text


@pytest.fixture(scope="module")
def place(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("documented")
    example = (ROOT / "examples" / "gateway.yaml").read_text(encoding="utf-8")
    (folder / "rollout.yaml").write_text(example, encoding="utf-8")
    shutil.copytree(ROOT / "examples" / "policies" / "mcp", folder / "policies" / "mcp")
    (folder / "policies" / "authz.rego").write_text("package authz\nallow if input.user", encoding="utf-8")
    (folder / "input.json").write_text('{"user": "alice"}', encoding="utf-8")
    settings = {"policies": {"directory": str(folder / "policies")}}
    (folder / "sidecar.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with cluster.namespace() as namespace:
        cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=example)
        cluster.kubectl("create", "configmap", "flags-of-the-page", "-n", namespace)
        # As one that is being watched has: only then can it be taken off by hand.
        patch = '{"metadata": {"finalizers": ["sark.dev/restore-baseline"]}}'
        cluster.kubectl("patch", "sarkrollout", "gateway", "-n", namespace, "--type=merge", "-p", patch)
        yield Place(folder, namespace)
        cluster.kubectl(
            "patch", "sarkrollout", "gateway", "-n", namespace, "--type=merge", "-p", '{"metadata": {"finalizers": null}}'
        )


@pytest.mark.parametrize("text", [text for text in RUN if text.startswith("sark-rollout ")])
def test_sark_rollout(
    text: str, cluster: LocalCluster, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    words = shlex.split(place.here(text.removeprefix("sark-rollout ")))
    verb, files = words[0], ("lint", "simulate", "backtest")
    if len(words) == 1 and verb != "list":
        words.append(str(place.folder / "rollout.yaml") if verb in files else "gateway")
    if verb == "lint" and "--prometheus-config" in words:
        words = ["lint", str(place.folder / "rollout.yaml")]
    if verb not in files:
        words += [] if {"-n", "--all-namespaces"} & set(words) else ["-n", place.namespace]
        words.append(f"--kubeconfig={cluster.kubeconfig}")
    if verb in STEERING or "--watch" in words:
        words += ["--timeout", "1s"]
    if verb == "rollback":
        words += ["--yes", "--ask", "none"]
    monkeypatch.chdir(ROOT)
    code = sark_rollout(words)
    # 2 is a command line that is wrong; every other status is an account of a rollout that no operator looks at.
    assert code != ExitCode.USAGE, capsys.readouterr().err


@pytest.mark.parametrize("text", [text for text in RUN if text.startswith("kubectl ")])
def test_kubectl(text: str, cluster: LocalCluster, place: Place):
    namespace, shell = place.namespace, place.here(text)
    command = Command(
        "", 0, shell.replace("--timeout=2000h", "--timeout=1s").replace("--timeout=2h", "--timeout=1s"), in_block=True
    )
    words = command.words[1:]
    verb = next(word for word in words if word in ("apply", "create", "delete", "explain", "get", "label", "patch", "wait"))
    if verb not in ("get", "explain", "wait"):
        words += ["--dry-run=server"]
    words = [word if not word.startswith(("crds", "manifests")) else str(ROOT / word) for word in words]
    words = [namespace if word == "shop" else word for word in words]
    if not {"-n", "--namespace", "-A"} & set(words) and verb != "explain" and "label" not in words:
        words += ["-n", namespace]
    if verb == "get":
        words = [word.replace("gateway-flags", "flags-of-the-page") for word in words]
    done = subprocess.run(
        [cluster.kubectl.path, f"--kubeconfig={cluster.kubeconfig}", *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if verb == "wait":
        assert "timed out waiting for the condition" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", [text for text in RUN if text.startswith("helm ")])
def test_helm(text: str):
    words = Command("", 0, text, in_block=True).words[1:]
    # What `install` would apply, without a release; the chart's own tests put it before the API server.
    words = [
        "template" if word in ("install", "upgrade") else str(ROOT / word) if word.startswith("charts/") else word
        for word in words
    ]
    for reusing in {"--reuse-values", "--reset-then-reuse-values"} & set(words):
        # There is no release whose values could be used again.
        words[words.index(reusing)] = "--set=image.repository=registry.example/sark-operator"
    done = subprocess.run([binaries.program("helm"), *words], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


@pytest.mark.parametrize("text", [text for text in RUN if text.startswith("promtool ")])
def test_promtool(text: str):
    done = subprocess.run(
        [binaries.program("promtool"), *text.split()[1:]], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", [text for text in RUN if text.startswith(("python -m sark_engine", "sark-sidecar"))])
def test_engine_and_sidecar(text: str, place: Place):
    words = Command("", 0, text, in_block=True).words
    words = [sys.executable, *words[1:]] if words[0] == "python" else [str(BIN / words[0]), *words[1:]]
    if "replay" in words or words[-1] == "sark_engine":
        words = [*words[: words.index("replay") + 1 if "replay" in words else len(words)], "--help"]
    elif words[-1] == "--check" and "--config" not in words:
        words += ["--config", "sidecar.yaml"]
    elif words[-1] == "input.json":
        words += ["data.authz.allow"]
    done = subprocess.run(words, cwd=place.folder, capture_output=True, text=True, timeout=100, check=False)
    # `check --strict` ends with 1 when a rule is left to the baseline, which is an account and no failure.
    assert done.returncode == 0 or ("check" in words and done.returncode == 1), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout
