"""The operator: a pure core that decides, and a shell that observes and acts."""
