"""One rollout told from its beginning: the decisions with their numbers, and what Prometheus saw meanwhile."""
