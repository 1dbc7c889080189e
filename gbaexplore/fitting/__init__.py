"""Fits: the parameters of a study at which a loss is least, found by an optimiser, every evaluation kept in a store."""
