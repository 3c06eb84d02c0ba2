"""The baseline arm: OPA over HTTP, decisions kept in Redis."""
