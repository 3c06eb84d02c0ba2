"""OPA's REST API around the decisions: what OPA alone can answer, and what the sidecar says of itself."""
