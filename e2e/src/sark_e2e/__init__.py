"""A local cluster without containers, the scenarios run on it, and the demonstration."""
