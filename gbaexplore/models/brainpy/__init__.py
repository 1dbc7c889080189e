"""A BrainPy system as a model, as it is."""
