"""Checking a SarkRollout before it meets a cluster: form, rules, and what is allowed but will not work."""
