"""BrainPy systems as models, unchanged."""
