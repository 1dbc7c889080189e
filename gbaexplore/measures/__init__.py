"""What is kept of a simulation, one measure a file; `base.py` says what a measure is."""

from gbaexplore.measures.base import Measure, Now, Run, StreamingMeasure, Variable

__all__ = ["Measure", "Now", "Run", "StreamingMeasure", "Variable"]
