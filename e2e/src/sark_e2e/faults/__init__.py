"""Faults on real servers, with every answer checked meanwhile and the recovery timed: `python -m sark_e2e.faults`."""
