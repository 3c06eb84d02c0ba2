"""`make bench-engine`: the engine beside a bare responder, OPA, regorus and Redis, one row for each goal."""
