"""What is verified: the weak and the strong regime, and figure 2C."""

from __future__ import annotations

from typing import Literal

import numpy as np

from gbaexplore.networks.connectome import Connectome

Update = Literal["sequential", "simultaneous"]
UPDATES: tuple[Update, ...] = ("sequential", "simultaneous")


WEAK, STRONG = 33.7, 51.5  # muEE, pA/Hz
_FIG2C = np.arange(28.0, 43.0, 2.0)
_WINDOW = (1.75, 5.0)


def _omegaEI(muEE: float) -> float:
    return 25.2 if muEE == STRONG else 19.7


def _amplitude(muEE: float) -> float:
    return 1.9 * {WEAK: 22.05, STRONG: 11.54}.get(muEE, 21.8)


def _feedback(macaque: Connectome) -> dict[str, Connectome]:
    return {"with feedback": macaque, "without feedback": macaque.without_feedback()}
