"""The file of Apprise URLs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sark_api.status import NOTIFIED_LIMIT, HistoryEntry, Notified
from sark_operator.core.notices import Notice
from sark_operator.shell.apprise_addresses import AddressFileError, AppriseAddress, AppriseFile


def written(folder: Path, text: str) -> Path:
    path = folder / "urls"
    path.write_text(text)
    return path


def test_lines_are_addresses_and_a_rotated_file_counts_at_once(tmp_path: Path):
    path = written(tmp_path, "# ours\n\njson://me:hush@127.0.0.1:9/a\nwarnings=json://127.0.0.1:9/b\n")
    file = AppriseFile(path)
    assert [(each.name, each.only_warnings) for each in file()] == [("line 3 (JSON)", False), ("line 4 (JSON)", True)]
    written(tmp_path, "json://127.0.0.1:9/c")
    assert [each.name for each in file()] == ["line 1 (JSON)"]


def test_a_line_is_known_by_its_name_and_else_by_its_scheme_alone(tmp_path: Path):
    # Given lines with and without a name, and the same with other credentials in another order
    before = AppriseFile(written(tmp_path, "json://me:hush@127.0.0.1/a\nname=on-call warnings=json://me:hush@127.0.0.1/b\n"))()
    after = AppriseFile(written(tmp_path, "name=on-call warnings=json://me:pst@127.0.0.1/b\njsons://me:pst@127.0.0.1/a\n"))()

    # Then nothing but that is what the status knows them by
    assert [each.label for each in before] == ["json://", "on-call"]
    assert [each.label for each in after] == ["on-call", "jsons://"]
    assert before[1].key == after[0].key


@pytest.mark.parametrize(("warning", "kind"), [(True, "warning"), (False, "info")])
@pytest.mark.parametrize("taken", [True, False])
def test_a_notice_is_sent_as_what_it_is_and_taken_only_where_the_service_says_so(warning: bool, kind: str, taken: bool):
    class Service:
        def notify(self, **sent: str) -> bool:
            self.sent = sent
            return taken

    service = Service()
    address = AppriseAddress("line 1 (JSON)", "json://", "key", service, only_warnings=False)

    assert address.send("title", "text", warning=warning) is taken
    assert service.sent == {"title": "title", "body": "text", "notify_type": kind}


def test_lines_of_one_url_that_ask_for_different_things_are_two_addresses(tmp_path: Path):
    lines = "rollouts=shop/* json://127.0.0.1/a\nrollouts=billing/* json://127.0.0.1/a\n"
    one, other = AppriseFile(written(tmp_path, lines))()
    assert one.key != other.key


def test_as_many_lines_as_the_status_can_tell_apart_are_taken(tmp_path: Path):
    assert len(AppriseFile(written(tmp_path, "json://127.0.0.1/a\n" * NOTIFIED_LIMIT))()) == NOTIFIED_LIMIT


ROUTES = """\
json://127.0.0.1/all
warnings=json://127.0.0.1/warnings
rollouts=shop/*,billing/gateway json://127.0.0.1/ours
rollouts=shop/* reasons=CriterionBreached,BaselineRestored json://127.0.0.1/ours-back
reasons=BaselineRestored warnings=json://127.0.0.1/none
"""


@pytest.mark.parametrize(
    ("rollout", "reason", "told"),
    [
        ("shop/gateway", "Advanced", [1, 3]),
        ("shop/gateway", "CriterionBreached", [1, 2, 3, 4]),
        ("shop/gateway", "BaselineRestored", [1, 3, 4]),
        ("billing/gateway", "CriterionBreached", [1, 2, 3]),
        ("billing/other", "CriterionBreached", [1, 2]),
        ("shopping/gateway", "Advanced", [1]),
    ],
)
def test_each_address_is_told_what_its_line_asks_for(tmp_path: Path, rollout: str, reason: str, told: list[int]):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    entry = HistoryEntry(time=at, actor="operator", reason=reason, from_percent=5, to_percent=0, revision=1, message="why")
    notice = Notice(entry, Notified(until=at))

    addresses = AppriseFile(written(tmp_path, ROUTES))()

    assert [number for number, each in enumerate(addresses, start=1) if each.wants(rollout, notice)] == told


def test_lines_that_share_their_progress_are_told_of_once_for_each_file(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = AppriseFile(written(tmp_path, "json://me:hush@127.0.0.1/a\nxml://127.0.0.1/b\njson://127.0.0.1/c\n"))
    assert len(file()) == len(file()) == 3
    [said] = caplog.messages
    assert said.startswith("line 1 (JSON), line 3 (JSON) have no names of their own")
    assert "hush" not in said

    written(tmp_path, "name=ours json://me:hush@127.0.0.1/a\nxml://127.0.0.1/b\njson://127.0.0.1/c\n")
    assert len(file()) == 3
    assert len(caplog.messages) == 1


def test_a_file_that_goes_bad_leaves_what_was_read_before(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = AppriseFile(written(tmp_path, "json://127.0.0.1:9/a"))
    written(tmp_path, "nonsense-hush")
    assert [each.name for each in file()] == ["line 1 (JSON)"]
    assert "line 1: not a URL that Apprise knows" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("json://127.0.0.1/a\nhush://token", "line 2: not a URL that Apprise knows"),
        ("hush json://127.0.0.1/a", "line 1: word 1 is no condition: write name=NAME, rollouts=NAMESPACE/NAME"),
        ("rollouts=hush json://127.0.0.1/a", "line 1: rollouts are named by namespace/name, with * for any, as in shop/*"),
        ("name=Hush json://127.0.0.1/a", "line 1: a name is up to 63 lower-case letters"),
        ("name=a json://127.0.0.1/a\nname=a json://127.0.0.1/b", "line 2: has the name of another line"),
        ("reasons=hush json://127.0.0.1/a", "line 1: names a reason that does not exist: docs/reasons.md has them all"),
        ("json://127.0.0.1/a\n" * 51, "holds 51 URLs; at most 50"),
        ("#" * 70_000, "larger than 64 KiB"),
        (None, "cannot be read: no such file"),
    ],
)
def test_a_bad_file_is_refused_without_what_stands_there(tmp_path: Path, text: str | None, says: str):
    path = tmp_path / "urls" if text is None else written(tmp_path, text)
    with pytest.raises(AddressFileError) as raised:
        AppriseFile(path)
    assert says in str(raised.value)
    assert "hush" not in str(raised.value)
