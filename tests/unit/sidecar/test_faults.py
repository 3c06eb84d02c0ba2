"""What the fault hook says of a file that is none of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_sidecar.faults import FaultHook


class Nothing:
    """A data plane that injects nothing."""

    first_fault_at = None

    def set_faults(self, **faults: float) -> None:
        raise AssertionError(f"no faults were asked for: {faults}")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token: S3CRET", "Invalid JSON: expected ident at line 1 column 2"),
        ('{"rust": "S3CRET"}', "rust: Input should be an object"),
        ('{"rust": {"latency_ms": "S3CRET"}}', "rust.latency_ms: Input should be a valid number"),
    ],
)
async def test_a_file_that_is_refused_is_not_quoted(tmp_path: Path, text: str, said: str):
    file = tmp_path / "faults.json"
    file.write_text(text, encoding="utf-8")
    hook = FaultHook(file, Nothing())
    await hook.look()
    assert said in hook.problem
    assert "S3CRET" not in hook.problem
