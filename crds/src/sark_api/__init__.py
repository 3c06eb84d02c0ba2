"""The contract between the operator, the sidecars and the people who use them.

Models of the SarkRollout resource and of the flag document, the assignment rule, and the names of metrics, labels and
reasons. This package imports nothing of ours; everything of ours imports it.
"""
