"""Documents that clients write through the REST API: OPA holds them, and the embedded engine follows OPA."""
