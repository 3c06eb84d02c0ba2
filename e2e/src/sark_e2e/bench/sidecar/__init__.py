"""What a whole sidecar costs: processor time, memory and latency at fixed rates, and how long its start takes."""
