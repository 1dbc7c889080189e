"""What goes into which area at which step."""

from gbaexplore.stimuli.base import AbstractStimulus, Pieces

__all__ = ["AbstractStimulus", "Pieces"]
