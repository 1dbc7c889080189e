"""Stimuli: the input to each area at each step."""

from gbaexplore.stimuli.base import AbstractStimulus, Pieces

__all__ = ["AbstractStimulus", "Pieces"]
