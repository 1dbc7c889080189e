"""What is simulated, one model a file; `base.py` says what a model is."""
