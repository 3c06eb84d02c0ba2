"""One file per criterion: a function of values that returns a verdict with its numbers and its sentence."""
