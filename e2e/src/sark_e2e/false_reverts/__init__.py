"""How often a healthy rollout would be taken back, and how fast a bad one is: the operator's own test on simulated windows."""
