"""The commands of `sark-sidecar`: one file each, with its arguments and what it does."""
