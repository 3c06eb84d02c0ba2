"""The performance suite: raw results, what measures them, the report made of them, and the gate against regressions."""
