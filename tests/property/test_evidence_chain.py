"""Whatever is done to a chain of evidence, it is found: any byte changed, any record left out, moved, or cut off the end."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from sark_api.evidence import GENESIS, EvidenceRecord, canonical, digest, record_key, record_number, to_record, to_text, verify
from sark_api.status import CriterionStatus, Ledger, LedgerSegment, Verdict

UID = "uid-1"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
Chain = list[str]


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Return the texts of a chain that holds."""
    texts: Chain = []
    before = GENESIS
    for number in range(1, draw(st.integers(1, 7)) + 1):
        message = draw(TEXTS)
        criteria = [CriterionStatus(name="errorRate", verdict=Verdict.PASS, action="Revert", message=message, samples=number)]
        record = EvidenceRecord(
            number=number,
            previous=before,
            rollout="shop/gateway",
            uid=UID,
            generation=1,
            attempt=1,
            time=datetime(2026, 1, 1, 12, number, tzinfo=UTC),
            actor="operator",
            reason="Advanced",
            from_percent=draw(st.integers(0, 100)),
            to_percent=draw(st.integers(0, 100)),
            revision=number,
            message=message,
            spec_sha256=digest("spec"),
            window_seconds=300,
            counting_window_seconds=15,
            criteria=criteria[: draw(st.integers(0, 1))],
        )
        texts.append(to_text(record))
        before = digest(texts[-1])
    return texts


def ledger(chain: Chain) -> Ledger:
    """Return what the status holds of a chain whose records are all filed."""
    return Ledger(records=len(chain), head=digest(chain[-1]), segments=[LedgerSegment(index=1, first=1)])


def broken(chain: Chain, status: Ledger) -> bool:
    return verify(UID, status, enumerate(chain, start=1)) is not None


@given(chains())
def test_a_chain_that_was_left_alone_holds(chain: Chain) -> None:
    assert not broken(chain, ledger(chain))
    # And so it does when it went through another form of JSON and back, as an export does
    assert [canonical(to_record(text).to_wire()) for text in chain] == chain


@given(chains(), st.data())
def test_any_byte_that_was_changed_is_found(chain: Chain, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    raw = bytearray(chain[place].encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    changed = [*chain[:place], raw.decode(errors="surrogateescape"), *chain[place + 1 :]]
    assert broken(changed, ledger(chain))


@given(chains(), st.data())
def test_anything_put_in_or_taken_out_of_a_text_is_found(chain: Chain, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    text = chain[place]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    changed = text[:start] + data.draw(TEXTS) + text[end:]
    assume(changed != text)
    assert broken([*chain[:place], changed, *chain[place + 1 :]], ledger(chain))


@given(chains(), st.data())
def test_a_record_that_is_missing_is_found(chain: Chain, data: st.DataObject) -> None:
    left_out = data.draw(st.integers(1, len(chain)))
    left = {number: text for number, text in enumerate(chain, start=1) if number != left_out}
    found = verify(UID, ledger(chain), left.items())
    assert found is not None
    assert (found.number, found.message) == (left_out, f"record {left_out} is missing")
    # And so it is when those behind it move up
    assert broken([*chain[: left_out - 1], *chain[left_out:]], ledger(chain))


@given(chains(), st.data())
def test_another_order_is_found(chain: Chain, data: st.DataObject) -> None:
    moved = data.draw(st.permutations(chain))
    assume(moved != chain)
    assert broken(moved, ledger(chain))


@given(chains(), chains())
def test_an_end_that_was_rewritten_whole_is_found_by_the_status(chain: Chain, other: Chain) -> None:
    assume(chain != other)
    assert broken(other, ledger(chain))


@given(chains(), st.data())
def test_a_chain_whose_beginning_was_given_up_holds_and_is_checked_from_there(chain: Chain, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(chain)))
    status = ledger(chain).model_copy(update={"segments": [LedgerSegment(index=2, first=first)]})
    kept = list(enumerate(chain, start=1))[first - 1 :]
    assert verify(UID, status, kept) is None
    # But the same chain is broken when the status does not say that the beginning was given up
    if first > 1:
        assert verify(UID, ledger(chain), kept) is not None


@given(chains(), st.data())
def test_records_that_are_not_filed_yet_count(chain: Chain, data: st.DataObject) -> None:
    filed = data.draw(st.integers(0, len(chain)))
    status = ledger(chain).model_copy(update={"unfiled": chain[filed:]})
    assert verify(UID, status, list(enumerate(chain, start=1))[:filed]) is None
    # And one that was filed otherwise than it waits is found
    if filed < len(chain):
        assert verify(UID, status, [*enumerate(chain[:filed], start=1), (filed + 1, "{}")]) is not None


@given(chains())
def test_the_chain_of_another_rollout_is_not_taken_for_this_ones(chain: Chain) -> None:
    assert verify("uid-2", ledger(chain), enumerate(chain, start=1)) is not None


@given(st.integers(1, 10**12))
def test_a_key_tells_its_number(number: int) -> None:
    assert record_number(record_key(number)) == number


@given(st.text(max_size=24))
def test_whatever_else_is_in_a_config_map_is_no_record(key: str) -> None:
    number = record_number(key)
    assert number is None or record_key(number) == key
