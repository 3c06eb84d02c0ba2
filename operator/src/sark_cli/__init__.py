"""The command `sark-rollout`, also found as `kubectl sark-rollout`."""
