"""The sidecar: an OPA for its application, steered by flags."""
