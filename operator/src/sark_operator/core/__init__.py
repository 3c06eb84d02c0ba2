"""The pure core: functions of (spec, status, observation, now). No clock, no network, no kopf."""
