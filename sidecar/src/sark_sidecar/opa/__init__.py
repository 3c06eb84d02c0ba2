"""One OPA server: asking it for decisions, and what it says of its policies."""
