"""Identity of the code that computes numbers: traced programs and all other code."""
