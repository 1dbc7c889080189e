"""Connectomes made by a rule and a seed: null models, and networks of any size."""
