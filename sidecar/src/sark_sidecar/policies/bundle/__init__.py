"""OPA bundles: read, verified and followed."""
