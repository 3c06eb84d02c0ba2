"""What a decision costs a Python application, by the way it asks."""
