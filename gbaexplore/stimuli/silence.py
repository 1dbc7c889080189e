"""No stimulus at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus, Pieces

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Silence(AbstractStimulus):
    """No input: what a study has that gives no stimulus."""

    amplitude: float = 0.0

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        return Pieces(np.array([0, 0]), np.zeros((1, len(connectome.areas))))

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Silence"}
