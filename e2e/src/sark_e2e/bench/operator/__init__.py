"""What one operator costs with many rollouts, and how soon it answers: `make bench-operator`."""
