"""Evidence in the command: shown, exported, read back, checked."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sark_api.evidence import ANNOTATION_ROLLOUT, GENESIS, LABEL_EVIDENCE, EvidenceRecord, digest, record_key, to_text
from sark_api.spec import Mode
from sark_api.status import CriterionStatus, Ledger, LedgerSegment, Verdict
from sark_cli.arguments import parse
from sark_cli.chain import READS, Chain, from_file, settled
from sark_cli.commands import history
from sark_cli.connection import Connection
from sark_cli.failure import CommandError
from sark_cli.out import Out
from sark_cli.record import recorded
from sark_cli.rollout import Rollout
from sark_e2e.simulated_target import SimulatedTarget

UID = "6f1c0c0e-0000-4000-8000-000000000001"
Shown = Callable[..., str]
Golden = Callable[[str, str], None]

ERRORS = CriterionStatus(
    name="errorRate",
    verdict=Verdict.BREACH,
    action="Revert",
    value="4.2%",
    limit="1.0%",
    samples=1000,
    min_samples=100,
    message="errorRate 4.2% > 1.0% over 5m (1,000 requests)",
    query="sum by (sark_rollout, implementation, result) (increase(sark_requests_total[300s]))",
    bound="2.6%",
    evidence="1,204 to 1",
    evidence_needed="700 to 1",
    windows=42,
)


def chain() -> Chain:
    """Return three decisions that hold together."""
    texts: dict[int, str] = {}
    before = GENESIS
    told = [
        ("Started", 0, 5, 1, "Started: 0% to 5% (step 1 of 3)"),
        ("CriterionBreached", 5, 0, 3, "Reverted from 5%: errorRate 4.2% > 1.0% over 5m (1,000 requests)"),
        ("BaselineRestored", 0, 0, 0, "Baseline restored: 3 of 3 sidecars confirmed 0%, 2.0 s after the decision"),
    ]
    for number, (reason, share, to, revision, message) in enumerate(told, start=1):
        record = EvidenceRecord(
            number=number,
            previous=before,
            rollout="shop/gateway",
            uid=UID,
            generation=1,
            attempt=1,
            time=datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=number),
            actor="operator",
            reason=reason,
            from_percent=share,
            to_percent=to,
            revision=revision,
            message=message,
            spec_sha256=digest("spec"),
            policy_revision="policy-1",
            operator_version="0.1.0",
            prometheus="http://prometheus.monitoring:9090",
            window_seconds=300,
            counting_window_seconds=15,
            criteria=[ERRORS] if number == 2 else [],
        )
        texts[number] = to_text(record)
        before = digest(texts[number])
    ledger = Ledger(records=3, head=before, segments=[LedgerSegment(index=1, first=1)])
    return Chain("shop/gateway", UID, ledger, texts)


def export(tmp_path: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> str:
    """Return the path of an exported chain that was changed."""
    document = json.loads(json.dumps(chain().to_export()))
    change(document)
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def options(*arguments: str) -> argparse.Namespace:
    return parse(["history", *arguments])


def test_all_of_it(piped: Shown, golden: Golden):
    golden("history-all.txt", piped(lambda out: out.grid(history.whole(chain()))))


def test_one_record_with_every_number(piped: Shown, golden: Golden):
    record = chain().record(2)
    assert record is not None
    golden("explain-record.txt", piped(lambda out: out.lines(*recorded(record))))


def test_a_chain_that_holds_is_said_to(tmp_path: Path, piped: Shown, golden: Golden):
    path = export(tmp_path)
    golden("history-verify.txt", piped(lambda out: history.run(options("--verify", "--file", path), out)))


def test_an_export_can_be_read_back_and_is_the_same(tmp_path: Path):
    assert from_file(export(tmp_path)) == chain()


def test_yaml_keeps_the_digests(tmp_path: Path, piped: Shown):
    path = tmp_path / "evidence.yaml"
    path.write_text(piped(lambda out: out.data(chain().to_export()), "yaml"), encoding="utf-8")
    assert from_file(str(path)).broken() is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda doc: doc["evidence"][1].update(message="all was well"), "at record 3: record 3 does not follow record 2"),
        (lambda doc: doc["evidence"][2].update(actor="nobody"), "at record 3: record 3, the last, is not the one whose digest"),
        (lambda doc: doc["evidence"].pop(1), "at record 2: record 2 is missing"),
        (lambda doc: doc["evidence"].pop(), "at record 3: record 3 is missing"),
        (lambda doc: doc["evidence"].reverse(), "at record 1"),
        (lambda doc: doc["evidence"].__setitem__(0, "no JSON"), "at record 1: record 1 cannot be read"),
        (lambda doc: doc.update(uid="another"), "at record 1: record 1 belongs to another rollout"),
    ],
)
def test_a_chain_that_was_tampered_with_is_broken_where_it_was(
    tmp_path: Path, piped: Shown, change: Callable[[dict[str, Any]], object], sentence: str
):
    path = export(tmp_path, change)
    if sentence.endswith("at record 1"):  # an export is read by the numbers in it, so another order alone changes nothing
        assert from_file(path).broken() is None
        return
    with pytest.raises(CommandError) as caught:
        piped(lambda out: history.run(options("--verify", "--file", path), out))
    assert sentence in str(caught.value)


def test_config_maps_that_outlived_their_rollout_can_be_checked(tmp_path: Path, piped: Shown):
    # Given two ConfigMaps as kubectl prints them
    parts = [{1: chain().texts[1]}, {number: chain().texts[number] for number in (2, 3)}]
    metadata = {"labels": {LABEL_EVIDENCE: UID}, "annotations": {ANNOTATION_ROLLOUT: "shop/gateway"}}
    items = [{"metadata": metadata, "data": {record_key(n): text for n, text in part.items()}} for part in parts]
    path = tmp_path / "config-maps.json"
    path.write_text(json.dumps({"kind": "List", "items": items}), encoding="utf-8")

    # Then they hold together, and it is said that nothing tells where the end is
    text = piped(lambda out: history.run(options("--verify", "--file", str(path)), out))
    assert "The evidence of shop/gateway holds: 3 records, 1 to 3" in text
    assert "nothing says whether there were more" in text


def test_those_of_two_rollouts_are_not_mixed(tmp_path: Path):
    path = tmp_path / "config-maps.json"
    items = [{"metadata": {"labels": {LABEL_EVIDENCE: uid}}, "data": {}} for uid in ("a", "b")]
    path.write_text(json.dumps({"kind": "List", "items": items}), encoding="utf-8")
    with pytest.raises(CommandError, match="must hold the evidence of one rollout"):
        from_file(str(path))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "Pod"}', '{"kind": "SarkEvidence"}', "a: [", '{"kind": "SarkEvidence", "keptFrom": "x"}']
)
def test_a_file_that_is_no_evidence_is_said_in_one_sentence(tmp_path: Path, text: str):
    path = tmp_path / "file"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        from_file(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_said():
    with pytest.raises(CommandError, match="cannot read nowhere"):
        from_file("nowhere")


def test_control_characters_of_a_record_do_not_reach_the_terminal(piped: Shown):
    evil = chain().texts[1].replace("Started: 0%", "\\u001b[2JStarted: 0%")
    shown = piped(lambda out: out.grid(history.whole(Chain("shop/gateway", UID, chain().ledger, {1: evil}))))
    assert "?[2JStarted" in shown
    assert "\x1b" not in shown


class Filing:
    """An operator that decides and files records between each read of the status and that of the ConfigMaps, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.target = SimulatedTarget()
        self.target.run_to(10)
        self.connection = Connection(None, "shop", "https://kubernetes")
        self.reads = 0
        self._times = times
        monkeypatch.setattr("sark_cli.chain._config_maps", self._config_maps)

    def get(self, namespace: str, name: str) -> dict[str, Any]:
        """Return the object; with each record that is written its resourceVersion is another."""
        metadata = {"namespace": namespace, "name": name, "uid": self.target.identity.uid, "generation": 1}
        metadata["resourceVersion"] = str(self.target.status.ledger.records)
        return {"metadata": metadata, "spec": self.target.spec.to_wire(), "status": self.target.status.to_wire()}

    def _config_maps(self, *_: object) -> list[Any]:
        self.reads += 1
        if self.reads <= self._times:
            for mode in (Mode.PAUSED, Mode.AUTO):
                self.target.ask(mode=mode)
                self.target.run(3)
        return [argparse.Namespace(data={record_key(number): text for number, text in self.target.filed.items()})]


@pytest.mark.parametrize(("times", "reads", "holds"), [(0, 1, True), (1, 2, True), (3, 4, True), (99, READS, False)])
def test_records_that_are_filed_between_two_reads_break_nothing(
    times: int, reads: int, holds: bool, monkeypatch: pytest.MonkeyPatch
):
    operator: Any = Filing(monkeypatch, times)
    rollout, chain = settled(operator, Rollout.from_object(operator.get("shop", "gateway")))
    assert (operator.reads, chain.broken() is None) == (reads, holds)
    assert rollout.status.ledger == chain.ledger


def test_a_check_of_a_busy_rollout_says_that_its_chain_holds(monkeypatch: pytest.MonkeyPatch, piped: Shown):
    operator = Filing(monkeypatch, times=1)
    monkeypatch.setattr(history, "connect", lambda _: operator.connection)
    monkeypatch.setattr(history, "Rollouts", lambda _: operator)
    text = piped(lambda out: history.run(options("--verify", "gateway"), out))
    assert f"The evidence of shop/gateway holds: {operator.target.status.ledger.records} records" in text


def test_a_break_of_a_rollout_that_stays_the_same_is_one(monkeypatch: pytest.MonkeyPatch):
    operator: Any = Filing(monkeypatch, times=0)
    operator.target.filed[2] = operator.target.filed[1]
    _, chain = settled(operator, Rollout.from_object(operator.get("shop", "gateway")))
    broken = chain.broken()
    assert broken is not None
    assert (broken.number, operator.reads) == (2, 1)


def test_data_of_a_check_says_what_is_broken(tmp_path: Path):
    import io

    stream = io.StringIO()
    history.run(options("--verify", "--file", export(tmp_path)), Out(plain=True, data_format="json", stream=stream))
    assert json.loads(stream.getvalue())["broken"] == ""
