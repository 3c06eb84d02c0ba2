"""Files are checked offline: every error is one sentence with its place, its line, and what to write instead."""

from __future__ import annotations

import copy
import io
import json
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_api.spec import BUILT_IN_CRITERIA, SarkRolloutSpec
from sark_cli import arguments
from sark_cli.commands import lint
from sark_cli.failure import CommandError
from sark_cli.lint.access import check_access
from sark_cli.lint.check import check, told
from sark_cli.lint.documents import read
from sark_cli.lint.finding import Level
from sark_cli.lint.rules import TWINS, rules
from sark_cli.out import Out
from sark_e2e.binaries import kubectl
from sark_operator.shell.prometheus_access import PrometheusServers

EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway.yaml"
MISTAKES = """\
apiVersion: sark.dev/v1alpha1
kind: SarkRollout
metadata:
  name: gateway
spec:
  target:
    matchLabels: {app: gateway}
    flagsConfigMap: Gateway
  prometheus:
    address: prometheus:9090
  steps:
    - {percent: "5", bake: 15}
    - {percent: 10, bkae: 15s}
  criteria:
    errorRate: {limitBasisPoints: 0, action: Reverse}
    custom:
      - {name: depth, query: max(depth)}
  schedle: Seed
  interval: 15s
  interval: 20s
"""
BROKEN_RULES = """\
apiVersion: sark.dev/v1alpha1
kind: SarkRollout
metadata: {name: gateway}
spec:
  target:
    matchLabels: {app: gateway}
    flagsConfigMap: gateway-flags
  prometheus: {address: "http://prometheus:9090", timeout: 90s}
  schedule: Seed
  steps:
    - {percent: 50, bake: 1m}
    - {percent: 20, bake: 1h}
  interval: 11m
  validFor: 1s
  criteria:
    window: 2s
    memoryGrowth: {window: 1s}
    custom:
      - {name: errorRate, query: up, max: "1"}
  windows:
    - {days: [Mon], start: "09:00", end: "16:00", timeZone: Europe/Atlantis}
  request: {id: 1, action: Promote, attempt: 1, percent: 50, to: 20}
"""
SENSELESS = """\
apiVersion: sark.dev/v1alpha1
kind: SarkRollout
metadata: {name: gateway}
spec:
  target:
    matchLabels: {app: gateway}
    flagsConfigMap: gateway-flags
  prometheus: {address: "http://prometheus:9090"}
  steps:
    - {percent: 5, bake: 10m}
    - {percent: 100, bake: 48h}
  interval: 1m
  validFor: 2m
  criteria:
    window: 30s
  rollback: {blindFor: 20s}
"""
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefg")
)
NESTED_BOMB = "x0: &x0 {k: 1}\n" + "".join(f"x{n}: &x{n} {{k: *x{n - 1}, k: *x{n - 1}}}\n" for n in range(1, 23))
"""Few members under few names, and millions on the way through them."""
KEY_BOMB = NESTED_BOMB + "kind: SarkRollout\n? *x22\n: 1\n"
LONG_BOMB = f"a: &a {'x' * 200_000}\nkind: SarkRollout\nspec: [{', '.join(['*a'] * 10_000)}]\n"
SHAPES = [None, [], "x", {"steps": "x"}, {"steps": [1]}, {"target": None}, {"criteria": {"custom": {}}}]


@pytest.fixture
def linted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what lint says of a text."""

    def run(text: str, traffic: float | None = None) -> str:
        monkeypatch.chdir(tmp_path)
        Path("rollout.yaml").write_text(text, encoding="utf-8")
        documents = read("rollout.yaml")
        lines = [line for document in documents for line in told(document, check(document, traffic))]
        return "".join(f"{line}\n" for line in lines)

    return run


@pytest.mark.parametrize(
    ("name", "text", "traffic"),
    [("mistakes", MISTAKES, None), ("rules", BROKEN_RULES, None), ("senseless", SENSELESS, 10.0)],
)
def test_findings(name: str, text: str, traffic: float | None, linted: Callable[..., str], golden: Callable[[str, str], None]):
    golden(f"lint-{name}.txt", linted(text, traffic))


def test_the_example_has_no_errors(linted: Callable[..., str]):
    assert ": error: " not in linted(EXAMPLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("traffic", [None, 1000.0])
def test_a_plan_that_measures_no_baseline_gets_a_warning(traffic: float | None, linted: Callable[..., str]):
    # Given a plan that goes from nothing to all
    steps = "    - {percent: 5, bake: 10m}\n"
    leap = SENSELESS.replace(steps, "")

    # Then it is said where, and what to write instead
    assert "rollout.yaml:10: warning: spec.steps[0]: no step before 100% splits the traffic, so latencyP95 has no" in linted(
        leap, traffic
    )
    assert "of the stored arm" not in linted(leap, traffic)
    shadow = steps.replace("5,", "0, shadow: {samplePercent: 10},")
    assert "spec.steps[1]: no step before 100%" in linted(SENSELESS.replace(steps, shadow), traffic)

    # And not where there is one, or none is needed
    assert "no step before" not in linted(SENSELESS, traffic)
    assert "no step before" not in linted(leap.replace("window: 30s", "window: 30s\n    latencyP95: {action: Warn}"), traffic)


ALL_WARN = "\n".join(f"    {name}: {{action: Warn}}" for name in BUILT_IN_CRITERIA)


def test_criteria_that_only_warn_get_a_warning(linted: Callable[..., str]):
    # Given criteria of which none holds or reverts
    warns = SENSELESS.replace("window: 30s", f"window: 30s\n{ALL_WARN}")

    # Then it is said where, and what to write instead
    assert "rollout.yaml:14: warning: spec.criteria: no criterion can hold or revert: whatever is measured" in linted(warns)

    # And one that holds is enough, unless no step judges it
    assert "no criterion can" not in linted(warns.replace("errorRate: {action: Warn}", "errorRate: {action: Hold}"))
    assert "no criterion can" in linted(warns.replace("decisionMismatch: {action: Warn}", "decisionMismatch: {}"))
    assert "no criterion can" not in linted(SENSELESS)


def custom(query: str, namespace: str = "") -> str:
    """Return a rollout with a criterion of its own."""
    named = SENSELESS.replace("{name: gateway}", f"{{name: gateway, namespace: {namespace}}}") if namespace else SENSELESS
    return named.replace("window: 30s", f"window: 30s\n    custom:\n      - {{name: depth, query: {query!r}, max: '1'}}")


@pytest.mark.parametrize(
    "query", ["max(depth)", "sum by (sark_rollout) (depth)", 'max(depth{sark_rollout!="shop/gateway"})', 'max(depth{pod="a"})']
)
def test_a_query_that_names_no_rollout_gets_a_warning(query: str, linted: Callable[..., str]):
    said = "the query names no rollout, so a copy of this file judges these same series: write the matcher "
    where = "rollout.yaml:17: warning: spec.criteria.custom[0].query: "
    assert f'{where}{said}sark_rollout="shop/gateway"\n' in linted(custom(query, "shop"))
    assert f'{where}{said}sark_rollout="NAMESPACE/gateway"\n' in linted(custom(query))


@pytest.mark.parametrize(
    "query",
    [
        'max(depth{sark_rollout="shop/gateway"})',
        'max(depth{pod!="a", sark_rollout = `shop/gateway` })',
        'max({"depth", "sark_rollout"="shop/gateway"})',
        'max(depth{sark_rollout=~"shop/gateway|shop/.*"})',
    ],
)
@pytest.mark.parametrize("namespace", ["shop", ""])
def test_a_query_that_names_the_rollout_gets_none(query: str, namespace: str, linted: Callable[..., str]):
    assert "the query" not in linted(custom(query, namespace))


@pytest.mark.parametrize("namespace", ["shop", ""])
def test_a_query_that_was_copied_with_its_file_gets_a_warning(namespace: str, linted: Callable[..., str]):
    said = linted(custom('max(depth{sark_rollout="shop/checkout"})', namespace))
    right = f'sark_rollout="{namespace or "NAMESPACE"}/gateway"'
    assert f"criteria.custom[0].query: the query names the rollout shop/checkout: write the matcher {right}\n" in said


def test_every_rule_of_the_crd_has_its_twin():
    assert {expression for expression, _ in rules()} == set(TWINS)


def test_no_twin_objects_to_the_example():
    spec = SarkRolloutSpec.model_validate(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["spec"])
    assert [expression for expression, twin in TWINS.items() if twin(spec)] == []


def test_a_rule_without_a_twin_is_said_to_be_unchecked(linted: Callable[..., str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sark_cli.lint.rules.TWINS", {})
    assert "warning: spec: not checked, use --server: interval must be between" in linted(SENSELESS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "not YAML"),
        ("kind: SarkRollout\nspec: {? [q] : 1}", "not YAML"),
        ("[" * 500, "not YAML"),
        (BOMB, "not YAML"),
        (NESTED_BOMB, "not YAML"),
        (KEY_BOMB, "not YAML"),
        (LONG_BOMB, "not YAML"),
        (f"kind: SarkRollout\n---\n{NESTED_BOMB[: NESTED_BOMB.index('x12:')]}---\n" * 60, "not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_what_is_not_yaml_is_one_sentence(text: str, complaint: str, linted: Callable[..., str]):
    with pytest.raises(CommandError, match=complaint):
        linted(text)


def test_a_file_moves_no_cursor_and_writes_no_line_of_its_own(linted: Callable[..., str]):
    # Given a file with control characters in keys and values
    evil = 'kind: SarkRollout\nspec: {"a\\e[2J\\nfake.yaml:1: error: b": 1, mode: "\\e]0;x\\a\\u2028", interval: "\\x9b"}\n'

    # Then each finding is one line without them
    said = linted(evil)
    assert [line for line in said.split("\n") if line and not line.startswith("rollout.yaml:")] == []
    assert said.replace("\n", "").isprintable()
    assert "unknown field a?[2J?fake.yaml:1: error: b" in said


WORDS = [
    *(
        "y",
        "n",
        "Y",
        "No",
        "on",
        "OFF",
        "true",
        "22:00",
        "09:00",
        "1:30.5",
        "190:20:30",
        "1e3",
        "12e03",
        "0.1e1",
        "1.0",
        "1.",
        "1.5",
    ),
    *("010", "0o17", "-0o17", "08", "1_000", "685_230.15", "0b11", "0x1F", "+1", "-0", "1e400", "2026-01-01", "~", "null", "="),
    *("._1", "'1'", "nan", "1d", "1.2.3", ".5", "-.5e2"),
]


def test_a_time_of_day_needs_no_quotes(linted: Callable[..., str]):
    window = "windows: [{days: [Mon], start: 21:00, end: 22:00, timeZone: Europe/Berlin}]"
    assert ": error: " not in linted(SENSELESS.replace("rollback:", f"{window}\n  rollback:"))


def test_words_are_what_kubectl_takes_them_for(tmp_path: Path):
    # Given words without quotes
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    text = body + "words:\n" + "".join(f"- {word}\n" for word in WORDS) + "names:\n  on: b\n  22:00: c\n"
    (tmp_path / "words.yaml").write_text(text, encoding="utf-8")

    # When kubectl reads them without a server, and lint does
    command = (str(kubectl()), "annotate", "--local", "-o", "json", "-f", str(tmp_path / "words.yaml"), "a=b")
    sent = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)
    read_here = json.loads(json.dumps(read(str(tmp_path / "words.yaml"))[0].value))

    # Then both find the same values, of the same types
    assert dict(zip(WORDS, map(repr, read_here["words"]), strict=True)) == dict(
        zip(WORDS, map(repr, sent["words"]), strict=True)
    )
    assert read_here["names"] == sent["names"] == {"true": "b", "22:00": "c"}


@pytest.mark.parametrize(
    "spec", [None, [], "x", {"steps": "x"}, {"steps": [1]}, {"target": None}, {"criteria": {"custom": {}}}]
)
def test_any_shape_of_a_spec_gets_findings_and_no_exception(spec: Any, linted: Callable[..., str]):
    assert ": error: spec" in linted(yaml.safe_dump({"kind": "SarkRollout", "spec": spec}))


def test_two_criteria_of_one_name_are_refused(linted: Callable[..., str]):
    body = copy.deepcopy(yaml.safe_load(SENSELESS))
    custom = {"name": "depth", "query": "max(depth)", "max": "1"}
    body["spec"]["criteria"]["custom"] = [custom, custom]
    assert "criteria.custom[1].name: name depth is taken by another one of custom" in linted(yaml.safe_dump(body))


def test_a_day_that_stands_twice_is_refused(linted: Callable[..., str]):
    window = "windows: [{days: [Mon, Tue, Mon], start: '21:00', end: '22:00', timeZone: Europe/Berlin}]"
    said = linted(SENSELESS.replace("rollback:", f"{window}\n  rollback:"))
    assert 'rollout.yaml:16: error: spec.windows[0].days[2]: days holds "Mon" twice: take one away\n' in said


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("{name: Gateway_1/x}", 'metadata.name: name is "Gateway_1/x": write small letters'),
        ("{name: a..b}", 'metadata.name: name is "a..b"'),
        ("{name: 1}", "metadata.name: name is 1: write small letters"),
        (f"{{name: {'a' * 254}}}", "at most 253 characters"),
        ("{namespace: shop}", "metadata.name: metadata.name is missing"),
        ("gateway", 'metadata: metadata is "gateway": write a mapping of fields'),
        ("{name: gateway, namespace: a.b}", 'metadata.namespace: namespace is "a.b"'),
        ("{name: gateway, labels: {version: 1.0}}", "metadata.labels.version: version is 1: write text; put quotes around"),
        ("{name: gateway, labels: {on: true}}", "is true: write text; put quotes around"),
        ("{name: gateway, labels: [a]}", 'metadata.labels: labels is ["a"]: write a mapping'),
        ("{name: gateway, labels: {team: a b}}", 'metadata.labels.team: team is "a b": write letters'),
        ("{name: gateway, labels: {a/b/c: d}}", '"a/b/c" is no key of labels'),
        ("{name: gateway, annotations: {note: 5}}", "metadata.annotations.note: note is 5: write text"),
        ("{name: gateway, lables: {a: b}}", "metadata.lables: unknown field lables: did you mean labels?"),
    ],
)
def test_metadata_the_server_would_refuse_is_an_error(metadata: str, said: str, linted: Callable[..., str]):
    found = linted(SENSELESS.replace("{name: gateway}", metadata))
    assert [line for line in found.splitlines() if line.startswith("rollout.yaml:3: error: metadata") and said in line]


@pytest.mark.parametrize(
    "metadata",
    [
        "{name: gateway-1.shop, namespace: shop, labels: {app.kubernetes.io/name: Gateway_1, empty: ''}}",
        "{name: '0', labels: null, annotations: {Sark.dev/Note: any text at all}}",
        "{name: gateway, uid: x, resourceVersion: '1', generation: 1, creationTimestamp: null, managedFields: []}",
    ],
)
def test_metadata_the_server_would_take_is_none(metadata: str, linted: Callable[..., str]):
    assert ": error: " not in linted(SENSELESS.replace("{name: gateway}", metadata))


def test_findings_are_data_for_programs(tmp_path: Path):
    file = tmp_path / "rollout.yaml"
    file.write_text(MISTAKES, encoding="utf-8")
    document = read(str(file))[0]
    first = lint.data(document, check(document)[0])
    assert first["line"] == 8
    assert (first["level"], first["path"]) == (Level.ERROR, "spec.target.flagsConfigMap")


def test_an_address_the_operator_would_not_ask_for_this_namespace_is_an_error(tmp_path: Path):
    # Given the operator's file, which opens a Prometheus to another namespace
    config = tmp_path / "prometheus.yaml"
    config.write_text("servers: [{address: 'http://prometheus.monitoring:9090', namespaces: [other]}]")
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    body["metadata"]["namespace"] = "shop"
    body["spec"]["prometheus"]["address"] = "http://prometheus.monitoring:9090/"

    # When a rollout that names it is checked, then it says who can mend that
    findings = list(check_access(body, PrometheusServers.load(config)))
    assert [(each.level, each.path) for each in findings] == [(Level.ERROR, ("spec", "prometheus", "address"))]
    assert "not open to namespace shop" in findings[0].message
    body["metadata"]["namespace"] = "other"
    assert list(check_access(body, PrometheusServers.load(config))) == []

    # And where the file names no namespace, the command line does
    del body["metadata"]["namespace"]
    file = tmp_path / "rollout.yaml"
    file.write_text(yaml.safe_dump(body))
    for namespace, code in (("other", 0), ("shop", 1)):
        options = arguments.parse(["lint", str(file), "-n", namespace, "--prometheus-config", str(config)])
        assert lint.run(options, Out(plain=True, stream=io.StringIO())) == code
