"""The identity of the code that computes numbers: of traced programs, and of all other code."""
