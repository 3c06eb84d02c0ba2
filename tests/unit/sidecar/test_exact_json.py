"""Documents pass through the sidecar with their numbers as they are spelled: OPA shows the spelling in texts."""

from __future__ import annotations

import pytest

from sark_sidecar import exact_json


@pytest.mark.parametrize(
    "number", ["12.50", "1.0", "-0", "-0.0", "0", "1.5", "0.0000001", "1e2", "12345678901234567890123", "100.00"]
)
def test_a_number_keeps_its_spelling(number: str):
    document = f'{{"a":[{number}],"b":"x"}}'.encode()

    assert exact_json.dumps(exact_json.loads(document)) == document
