"""Past metrics put to the operator's own eyes and its own `decide`: what it would have done, and when."""
