"""Measures, one per file: the results kept of a simulation. `base.py` defines what a measure is."""

from gbaexplore.measures.base import Measure, Now, Run, StreamingMeasure, Variable

__all__ = ["Measure", "Now", "Run", "StreamingMeasure", "Variable"]
