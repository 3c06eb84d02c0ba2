"""What the chart makes: the golden files, helm's own checks, and the API server's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from sark_e2e import binaries, chart
from sark_e2e.control_plane import ControlPlane
from sark_operator.shell.lease import micro_time
from sark_operator.shell.scope import Scope

from .conftest import CLUSTER_WIDE, DEFAULT, IMAGE, NAMESPACED, VALUES

HERE = Path(__file__)
PROJECT = HERE.parents[3]
WITH_A_TEST_OF_THEIR_OWN = {"CustomResourceDefinition", "PrometheusRule"}
"""They are copies of other files, and would be most of each golden file."""
ALERTS: dict[str, Any] = {"tokenSecret": "sark-alerts"}
PAGE: dict[str, Any] = {"enabled": True, "tokenSecret": "sark-page"}
OF_THE_PROMETHEUS_OPERATOR = "monitoring.coreos.com/v1"


@pytest.mark.parametrize("name", VALUES)
def test_the_manifests_are_those_that_were_reviewed(name: str, tmp_path: Path, golden: Callable[[str, str], None]):
    made = chart.template(VALUES[name], tmp_path)
    shown = yaml.safe_dump_all(
        [each for each in chart.objects(made) if each["kind"] not in WITH_A_TEST_OF_THEIR_OWN], sort_keys=False, width=120
    )
    golden(f"{name}.yaml", shown)


@pytest.mark.parametrize("name", VALUES)
def test_helm_finds_nothing_to_complain_about(name: str, tmp_path: Path):
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(VALUES[name]), encoding="utf-8")
    said = chart.helm("lint", "--strict", f"--values={values}", chart.CHART)
    assert "1 chart(s) linted, 0 chart(s) failed" in said


@pytest.mark.parametrize("name", VALUES)
def test_the_api_server_would_take_every_object(name: str, tmp_path: Path, api: client.ApiClient, control_plane: ControlPlane):
    # Given the namespaces the release names
    made = chart.objects(chart.template(VALUES[name], tmp_path))
    for namespace in {each["metadata"].get("namespace", "default") for each in made} - {"default"}:
        _ensure_namespace(api, namespace)

    # When every object of a kind the API server knows is applied, as a dry run that validates strictly
    known = [each for each in made if each["apiVersion"] != OF_THE_PROMETHEUS_OPERATOR]
    answer = subprocess.run(
        [
            binaries.kubectl(),
            f"--kubeconfig={control_plane.access.kubeconfig}",
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ],
        input=yaml.safe_dump_all(known),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    # Then nothing is refused, and nothing is warned of
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.count("(server dry run)") == len(known)


def test_the_crd_is_the_projects_and_survives_the_release(tmp_path: Path):
    [crd] = [e for e in chart.objects(chart.template(DEFAULT, tmp_path)) if e["kind"] == "CustomResourceDefinition"]
    assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert crd == yaml.safe_load((PROJECT / "crds" / "sarkrollouts.sark.dev.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("more", "left_out"),
    [({}, {"SarkThroughputLow"}), ({"disabled": []}, set()), ({"disabled": ["SarkCpuCritical"]}, {"SarkCpuCritical"})],
)
def test_the_alerts_are_the_projects_without_those_that_are_disabled(more: dict[str, Any], left_out: set[str], tmp_path: Path):
    values = DEFAULT | {"prometheusRule": {"enabled": True, **more}}
    [made] = [e for e in chart.objects(chart.template(values, tmp_path)) if e["kind"] == "PrometheusRule"]
    [ours] = yaml.safe_load_all((PROJECT / "manifests" / "alerts" / "prometheus-rule.yaml").read_text(encoding="utf-8"))
    for group in ours["spec"]["groups"]:
        group["rules"] = [each for each in group["rules"] if each["alert"] not in left_out]
    assert made["spec"] == ours["spec"]


def test_a_group_without_alerts_is_left_out(tmp_path: Path):
    rules = yaml.safe_load((PROJECT / "manifests" / "alerts" / "sark-rollout.rules.yml").read_text(encoding="utf-8"))
    fleet, operator = rules["groups"]
    values = DEFAULT | {"prometheusRule": {"enabled": True, "disabled": [each["alert"] for each in operator["rules"]]}}
    [made] = [e for e in chart.objects(chart.template(values, tmp_path)) if e["kind"] == "PrometheusRule"]
    assert made["spec"] == {"groups": [fleet]}


def test_alertmanager_is_told_the_address_of_the_charts_service(tmp_path: Path):
    [service] = [e for e in chart.objects(chart.template(NAMESPACED, tmp_path)) if e["kind"] == "Service"]
    [port] = [each["port"] for each in service["spec"]["ports"] if each["name"] == "alerts"]
    [address] = re.findall(r"http://(\S+)/v1/alerts", (PROJECT / "docs" / "alerts.md").read_text(encoding="utf-8"))
    assert address == f"{service['metadata']['name']}.{service['metadata']['namespace']}:{port}"


def test_the_version_is_the_projects():
    described = yaml.safe_load((chart.CHART / "Chart.yaml").read_text(encoding="utf-8"))
    version = re.search(r'^version = "(.+)"$', (PROJECT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert (described["version"], described["appVersion"]) == (version[1], version[1])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "image.repository is empty: `make images`"),
        (DEFAULT | {"serviceAccount": {"create": False}}, "name the account to use in serviceAccount.name"),
        (DEFAULT | {"replica": 2}, "additional properties 'replica' not allowed"),
        (DEFAULT | {"replicas": 0}, "at '/replicas': minimum: got 0, want 1"),
        (DEFAULT | {"lease": {"seconds": 5}}, "at '/lease/seconds': minimum: got 5, want 6"),
        (DEFAULT | {"image": IMAGE | {"digest": "sha256:1"}}, "at '/image/digest'"),
        (DEFAULT | {"clusterWide": True, "namespaces": ["shop"]}, "at '/namespaces': maxItems: got 1, want 0"),
        (DEFAULT | {"fleets": [{"namespace": "shop"}]}, "missing property 'flagsConfigMap'"),
        (DEFAULT | {"podMonitor": {"enabled": True}}, "podMonitor.enabled: name the fleets"),
        (DEFAULT | {"page": {"enabled": True}}, "page.enabled: name a Secret with a token in page.tokenSecret"),
        (DEFAULT | {"page": {"enabled": True, "proxy": {"userHeader": "X-User"}}}, "page.proxy: give networks with userHeader"),
        (DEFAULT | {"page": {"proxy": {"networks": ["10.1.2.3"]}}}, "at '/page/proxy/networks/0'"),
        (DEFAULT | {"page": {"proxy": {"networks": ["10.1.2.256/32"]}}}, "at '/page/proxy/networks/0'"),
        (DEFAULT | {"page": {"proxy": {"networks": ["10.1.2.0/33"]}}}, "at '/page/proxy/networks/0'"),
        (DEFAULT | {"page": {"proxy": {"networks": ["fd00::/129"]}}}, "at '/page/proxy/networks/0'"),
        (DEFAULT | {"crds": {"keep": False}}, "crds.keep: the CRD is always kept"),
        (NAMESPACED | {"namespaces": ["shop"]}, "fleets: no operator serves billing, the namespace of ledger-flags"),
        (DEFAULT | {"fleets": NAMESPACED["fleets"]}, "fleets: no operator serves shop, the namespace of gateway-flags"),
        (DEFAULT | {"alertReceiver": ALERTS | {"port": 8080}}, "alertReceiver.port: 8080 is taken by probes and metrics"),
        (DEFAULT | {"page": PAGE | {"port": 8080}}, "page.port: 8080 is taken by probes and metrics"),
        (DEFAULT | {"alertReceiver": ALERTS, "page": PAGE | {"port": 8081}}, "page.port: 8081 is taken by alertReceiver.port"),
        (DEFAULT | {"page": PAGE, "service": {"port": 8082}}, "page.port: 8082 is taken by service.port"),
        (
            DEFAULT | {"prometheusRule": {"enabled": True, "disabled": ["SarkNothing"]}},
            "prometheusRule.disabled: no alert is called SarkNothing; there are SarkOpaP95Critical, ",
        ),
    ],
)
def test_bad_values_are_refused_with_the_place(values: dict[str, Any], sentence: str, tmp_path: Path):
    with pytest.raises(chart.ChartError) as refusal:
        chart.template(values, tmp_path)
    assert sentence in str(refusal.value)


def test_a_port_of_what_is_off_is_nobodys(tmp_path: Path):
    values = DEFAULT | {"alertReceiver": {"port": 8080}, "page": {"port": 8080}, "service": {"port": 80}}
    assert chart.template(values, tmp_path)


def test_the_values_of_a_release_that_kept_the_crd_are_taken(tmp_path: Path):
    # `helm upgrade --reuse-values` brings the defaults of the chart that was installed before.
    assert chart.template(DEFAULT | {"crds": {"install": True, "keep": True}}, tmp_path)


@pytest.mark.parametrize(
    ("holder", "age", "namespaces", "refused"),
    [
        ("sark-a_1", 0, ["billing"], True),
        ("sark-a_1", 0, [], True),
        ("sark-a_1", 0, ["billing", "shop"], False),
        ("sark-a_1", 3600, ["billing"], False),
        ("sark-old_1", 0, ["billing"], False),
        ("", 0, ["billing"], False),
    ],
    ids=["others", "all", "the same", "one that is dead", "an older version that does not say", "nobody any more"],
)
def test_a_second_release_is_not_installed_on_the_lease_of_one_for_other_namespaces(
    holder: str,
    age: int,
    namespaces: list[str],
    *,
    refused: bool,
    tmp_path: Path,
    api: client.ApiClient,
    control_plane: ControlPlane,
    namespace: str,
):
    # Given a Lease whose holder has renewed it lately, or not, and says what it serves, or has not written what stands there
    body: Any = {
        "metadata": {
            "name": "sark-operator",
            "annotations": Scope.of(namespaces).annotations(holder if holder != "sark-old_1" else "sark-a_1"),
        },
        "spec": {"holderIdentity": holder or None, "renewTime": micro_time(datetime.now(UTC) - timedelta(seconds=age))},
    }
    client.CoordinationV1Api(api).create_namespaced_lease(namespace, body)
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(DEFAULT | {"namespaces": ["shop", "billing"], "crds": {"install": False}}))

    # When a release for shop and billing is to be installed beside it
    for each in ("shop", "billing"):
        _ensure_namespace(api, each)
    options = [f"--namespace={namespace}", f"--values={values}", f"--kubeconfig={control_plane.access.kubeconfig}"]

    def install(*more: str) -> str:
        return chart.helm("install", "second", chart.CHART, "--dry-run=server", *options, *more)

    # Then it is refused where that one serves others, but not with a Lease of its own
    if refused:
        with pytest.raises(
            chart.ChartError, match=f"lease.name: the Lease {namespace}/sark-operator is held by {holder}, which"
        ):
            install()
        assert "--lease-name=second" in install("--set=lease.name=second")
    else:
        assert "--lease-name=sark-operator" in install()


def test_every_value_is_in_the_schema_and_has_a_comment_or_a_parent_with_one():
    text = (chart.CHART / "values.yaml").read_text(encoding="utf-8")
    schema = yaml.safe_load((chart.CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load(text)
    assert set(values) == set(schema["properties"]) - {"global"}
    for name, value in values.items():
        if isinstance(value, dict) and "properties" in schema["properties"][name]:
            members = schema["properties"][name]["properties"]
            assert set(value) == {each for each in members if not members[each].get("deprecated", False)}, name


def test_the_arguments_are_ones_the_operator_takes(tmp_path: Path):
    from sark_operator.shell.settings import parse_settings

    for values in VALUES.values():
        [deployment] = [e for e in chart.objects(chart.template(values, tmp_path)) if e["kind"] == "Deployment"]
        settings = parse_settings(deployment["spec"]["template"]["spec"]["containers"][0]["args"], {})
        assert settings.cluster_wide is values.get("clusterWide", False)
        assert settings.lease_namespace == "sark-system"


def test_the_restoring_jobs_arguments_are_ones_the_command_takes(tmp_path: Path):
    from sark_cli.arguments import build

    for values in VALUES.values():
        [job] = [e for e in chart.objects(chart.template(values, tmp_path)) if e["kind"] == "Job"]
        for container in job["spec"]["template"]["spec"]["containers"]:
            assert container["command"] == ["sark-rollout"]
            options = build().parse_args(container["args"])
            assert (options.command, options.yes, options.ask) == ("rollback", True, "none")


def test_one_container_restores_each_namespace(tmp_path: Path):
    [job] = [e for e in chart.objects(chart.template(NAMESPACED, tmp_path)) if e["kind"] == "Job"]
    arguments = [container["args"] for container in job["spec"]["template"]["spec"]["containers"]]
    assert [[a for a in each if a.startswith("--namespace")] for each in arguments] == [
        ["--namespace=shop"],
        ["--namespace=billing"],
    ]


def test_the_restoring_job_is_scheduled_as_the_operator_is(tmp_path: Path):
    made = {each["kind"]: each for each in chart.objects(chart.template(CLUSTER_WIDE, tmp_path))}
    job, operator = (made[kind]["spec"]["template"]["spec"] for kind in ("Job", "Deployment"))
    for each in ("priorityClassName", "nodeSelector", "tolerations", "imagePullSecrets", "securityContext"):
        assert job[each] == operator[each], each
    # It may be where a replica is, which its anti-affinity would forbid.
    assert job["affinity"] == {"nodeAffinity": operator["affinity"]["nodeAffinity"]}


def test_the_restoring_job_has_resources_of_its_own(tmp_path: Path):
    resources = {"requests": {"cpu": "50m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "300Mi"}}
    values = NAMESPACED | {"restoreOnUninstall": {"resources": resources}}
    [job] = [each for each in chart.objects(chart.template(values, tmp_path)) if each["kind"] == "Job"]
    assert [each["resources"] for each in job["spec"]["template"]["spec"]["containers"]] == [resources, resources]


def test_the_restoring_job_may_ask_the_api_server_and_nobody_else(tmp_path: Path):
    # Given the pods of a release, and its policies
    made = chart.objects(chart.template(NAMESPACED | {"networkPolicy": {"apiServerPorts": [6443]}}, tmp_path))
    pods = {each["kind"]: each["spec"]["template"]["metadata"]["labels"] for each in made if "template" in each.get("spec", {})}
    policies = [each for each in made if each["kind"] == "NetworkPolicy"]

    # When it is looked which policy means which pod, then each has one of its own
    chosen = {
        kind: [p for p in policies if p["spec"]["podSelector"]["matchLabels"].items() <= labels.items()]
        for kind, labels in pods.items()
    }
    [restoring] = chosen["Job"]
    assert chosen["Deployment"] == [each for each in policies if each is not restoring]

    # And the job's is there before it, goes with it, and lets out to DNS and the API server alone
    [job] = [each for each in made if each["kind"] == "Job"]
    hooks = [each["metadata"]["annotations"] for each in (restoring, job)]
    assert [int(each.pop("helm.sh/hook-weight")) for each in hooks] == [-2, 0]
    assert hooks[0] == hooks[1]
    assert "ingress" not in restoring["spec"]
    assert restoring["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert [[(port["protocol"], port["port"]) for port in rule["ports"]] for rule in restoring["spec"]["egress"]] == [
        [("UDP", 53), ("TCP", 53)],
        [("TCP", 6443)],
    ]


def _ensure_namespace(api: client.ApiClient, name: str) -> None:
    try:
        client.CoreV1Api(api).create_namespace({"metadata": {"name": name}})
    except client.ApiException as error:
        if error.status != 409:
            raise
