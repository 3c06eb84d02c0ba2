"""What a rollout would do, before it does it."""
