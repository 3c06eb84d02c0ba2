"""Tests that may be looked at after every window, for as long as one likes, and keep their promise.

`wager` is the test itself, `weighing` what it says of one criterion, `fractions` what of a window it looks at.
"""
