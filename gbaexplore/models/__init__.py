"""One model per file; `base.py` says what a model is."""
