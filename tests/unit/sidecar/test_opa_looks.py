"""How often OPA is looked at."""

from __future__ import annotations

import pytest

from sark_sidecar.opa.view import pause_after


@pytest.mark.parametrize(
    ("took", "interval", "pause"),
    [
        pytest.param(0.01, 3.0, 3.0, id="a quick look does not change it"),
        pytest.param(0.5, 3.0, 10.0, id="a slow one comes back later"),
        pytest.param(5.0, 3.0, 30.0, id="one that a busy machine held up does not hide changes for minutes"),
        pytest.param(5.0, 60.0, 60.0, id="who asks for longer gets longer"),
    ],
)
def test_the_pause_after_a_look(took: float, interval: float, pause: float):
    assert pause_after(took, interval=interval) == pytest.approx(pause)
