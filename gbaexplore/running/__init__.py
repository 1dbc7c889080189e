"""Doing it: blocks to workers, results to the store, single points again."""
