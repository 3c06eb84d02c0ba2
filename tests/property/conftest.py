"""What the property tests share."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(*(f"tests.property.stories.{name}" for name in ("evidence", "requests", "scene", "shares")))
