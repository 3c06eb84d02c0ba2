"""The read-only listener: probes, metrics, and what is applied."""
