"""What fits of a small study look for, and where."""

TRUE = {"P": 2.0, "c1": 12.0}
RANGES = {"P": (1.2, 3.0), "c1": (9.0, 17.0)}
