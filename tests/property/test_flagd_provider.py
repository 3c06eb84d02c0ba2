"""The real OpenFeature provider of flagd, offline, on the flag set the operator writes.

Since flagd-core 2.0 it hashes the CBOR form of the string that we hash as it is: the shares are the same, each subject stays
where it is and a larger share contains a smaller one, but the subjects are others than the sidecars'.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cbor2
import mmh3
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext

from sark_api.assignment import BUCKETS
from sark_api.flags import FeatureFlags, FlagDocument, flagd_document

pytestmark = pytest.mark.usefixtures("_quick")
SUBJECTS = [f"user-{number}" for number in range(1_500)] + ["üser-☃", "a b", "7", "x" * 300, '"quoted"']


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the provider look at its file often."""
    monkeypatch.setenv("FLAGD_OFFLINE_POLL_MS", "50")


def written(path: Path, percentage: int, *, opa: bool = True, cache: bool = True, revision: int = 1) -> FlagDocument:
    flags = FeatureFlags(rust_opa_enabled=opa, rust_cache_enabled=cache, rollout_percentage=percentage)
    document = FlagDocument(feature_flags=flags, salt="4d1f6f0e-0c55", rollout="team/gateway", revision=revision)
    path.write_text(flagd_document(document), encoding="utf-8")
    return document


@contextmanager
def provider(path: Path) -> Iterator[OpenFeatureClient]:
    """A client whose provider reads the file, as from a mounted ConfigMap."""
    flagd = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(path))
    api.set_provider_and_wait(flagd, "sark")
    try:
        yield api.get_client("sark")
    finally:
        api.shutdown()


def bucket_of_cbor(salt: str, subject: str) -> int:
    """Our rule, with the one difference."""
    return (mmh3.hash(cbor2.dumps(f"{salt}:{subject}", canonical=True), signed=False) * BUCKETS) >> 32


def inside(client: OpenFeatureClient, flag: str, subject: str) -> bool:
    details = client.get_boolean_details(flag, default_value=False, evaluation_context=EvaluationContext(subject))
    assert details.error_code is None, details
    return details.value


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("percentage", [0, 1, 5, 25, 50, 99, 100])
def test_every_subject_is_in_the_arm_that_our_rule_over_its_cbor_form_says(tmp_path: Path, percentage: int):
    path = tmp_path / "flagd.json"
    document = written(path, percentage)
    with provider(path) as client:
        for subject in SUBJECTS:
            expected = bucket_of_cbor(document.salt, subject) < percentage * 100
            assert inside(client, "rust_opa", subject) is expected, subject
            assert inside(client, "rust_cache", subject) is expected, subject


def test_a_feature_that_is_off_is_off_for_everybody_and_a_change_of_the_file_is_followed(tmp_path: Path):
    path = tmp_path / "flagd.json"
    written(path, 100, cache=False)
    with provider(path) as client:
        eventually(lambda: inside(client, "rust_opa", "anybody"))
        assert not inside(client, "rust_cache", "anybody")
        # When the operator goes back
        written(path, 0, revision=2)
        eventually(lambda: not inside(client, "rust_opa", "anybody"))
