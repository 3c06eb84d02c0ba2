"""Policies: what the embedded engine serves, and whether OPA serves the same."""
