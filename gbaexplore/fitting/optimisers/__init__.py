"""Optimisers: what to evaluate next, given the losses so far; one a file."""
