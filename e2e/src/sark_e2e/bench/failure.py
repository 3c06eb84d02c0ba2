"""Why there is no number."""

from __future__ import annotations


class BenchError(RuntimeError):
    """Something could not be measured, or what was measured is not what the row says; the message is for whoever runs it."""
