"""Flags: which document is in force, and where it comes from."""
