"""Everything that was read is in exactly one count, and the report shows no value when told not to."""

from __future__ import annotations

from typing import Any

from sark_sidecar.replay.recording import Recorded, Unusable
from sark_sidecar.replay.report import as_text
from sark_sidecar.replay.tally import MAX_PATHS, Printers, Tally
from sark_sidecar.shadow.comparison import compare
from sark_sidecar.shadow.documents import read_document
from sark_sidecar.shadow.judgement import Match, Mismatch, Skip, Skipped, Suspicion, Unknown
from sark_sidecar.shadow.redaction import PlainPrinter, Redactor
from sark_sidecar.shadow.sides import Decided

PLAIN = Printers(PlainPrinter(), PlainPrinter())


def recorded(path: str = "authz/allow", result: bytes | None = b"true") -> Recorded:
    return Recorded("log, line 7", path, b'{"user":"alice"}', result, is_result_known=result is not None)


def suspicion() -> Suspicion:
    engine, opa = read_document(b'{"allow":true,"reason":"friend"}'), read_document(b'{"allow":false}')
    difference = compare(engine, opa)
    assert difference is not None
    return Suspicion(Mismatch(difference, Decided(engine), Decided(opa), "r"))


def tally(printers: Printers = PLAIN, *, recorded_too: bool = False) -> Tally:
    return Tally(printers, most_shown=2, with_recorded=recorded_too)


def test_each_record_is_counted_once():
    counts = tally()
    for _ in range(3):
        counts.add(recorded(), Match(defined=True, document=True))
        counts.add(recorded("b"), suspicion())
    counts.add(recorded(), Unknown("opa", "timeout", "it hung"))
    counts.add(recorded(), Skipped(Skip.NONDETERMINISTIC))
    counts.set_aside(Unusable("log, line 9", "masked"))
    shown = counts.shown()
    assert shown["read"] == 9
    assert shown["total"] == {"equal": 3, "mismatch": 3, "unknown": 1, "skipped": 1, "unusable": 1}
    assert sum(shown["total"].values()) == shown["read"]
    assert shown["paths"]["b"]["mismatches"] == {"allow": 3}
    assert (counts.equal, counts.mismatches) == (3, 3)
    # The first ones in full, and only those
    assert len(shown["first_mismatches"]) == 2
    assert shown["first_mismatches"][0]["differs_at"] == ["/allow", "/reason"]
    assert shown["first_mismatches"][0]["input"] == {"user": "alice"}


def test_paths_are_bounded():
    counts = tally()
    for number in range(MAX_PATHS + 50):
        counts.add(recorded(f"p{number}"), Match(defined=True))
    shown = counts.shown()
    assert len(shown["paths"]) == MAX_PATHS + 1
    assert shown["paths"]["other"]["equal"] == 50
    assert shown["total"]["equal"] == MAX_PATHS + 50


def test_the_engine_is_compared_with_what_was_recorded_when_asked():
    counts = tally(recorded_too=True)
    counts.add(recorded(result=b"true"), Match(defined=True, document=True))
    counts.add(recorded(result=b"false"), Match(defined=True, document=True))
    counts.add(recorded(result=None), Match(defined=True, document=True))
    shown = counts.shown()
    assert shown["recorded"] == {"equal": 1, "mismatch": 1}
    assert shown["first_recorded_mismatches"][0]["recorded"] == {"means": "deny", "decision": False}
    assert counts.mismatches == 1


def test_a_redacted_report_holds_no_value():
    printers = Printers(Redactor([]), Redactor([("allow",)]), with_sentences=False)
    counts = tally(printers, recorded_too=True)
    counts.add(recorded(result=b'{"allow":true,"reason":"stranger"}'), suspicion())
    counts.add(recorded(), Unknown("engine", "EvaluationError", "cannot parse alice"))
    report: dict[str, Any] = counts.shown()
    for text in (str(report), as_text(report)):
        assert not [word for word in ("alice", "friend", "stranger") if word in text]
    assert report["first_mismatches"][0]["engine"]["decision"]["allow"] is True


def test_the_text_names_counts_places_and_both_decisions():
    counts = tally(recorded_too=True)
    counts.add(recorded(), Match(defined=True, document=True))
    counts.add(recorded(), suspicion())
    counts.add(recorded(), Unknown("opa", "timeout", "it hung"))
    counts.set_aside(Unusable("log, line 9", "masked"))
    text = as_text(counts.shown())
    assert "4 records read, 1 of them not usable  (masked 1)" in text
    assert "mismatch: authz/allow (log, line 7): allow, at /allow, /reason" in text
    assert '{"allow": true, "reason": "friend"}' in text
    assert "unknown: authz/allow (log, line 7): opa: it hung" in text
    assert "not usable: log, line 9: masked" in text
    line = next(line for line in text.splitlines() if line.startswith("authz/allow"))
    assert line.split()[1:5] == ["1", "1", "1", "0"]
