"""The absence of a stimulus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus, Pieces


@dataclass(frozen=True)
class Silence(AbstractStimulus):
    """No input: the stimulus of a study without one."""

    amplitude: float = 0.0

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        return Pieces(np.array([0, 0]), np.zeros((1, len(connectome.areas))))

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Silence"}
