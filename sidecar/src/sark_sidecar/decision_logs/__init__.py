"""The decision log: what was decided, written down and sent away off the path of requests."""
