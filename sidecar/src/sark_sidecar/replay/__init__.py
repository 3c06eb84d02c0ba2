"""Replay: recorded requests put to both arms before a rollout starts."""
