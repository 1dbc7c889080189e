"""The verified cases: the weak and the strong regime, and figure 2C."""

from __future__ import annotations

from typing import Literal

import numpy as np

from gbaexplore.networks.connectome import Connectome

Update = Literal["sequential", "simultaneous"]
UPDATES: tuple[Update, ...] = ("sequential", "simultaneous")


WEAK, STRONG = 33.7, 51.5  # muEE, pA/Hz
FIG2C = np.arange(28.0, 43.0, 2.0)
WINDOW = (1.75, 5.0)


def omegaEI_of(muEE: float) -> float:
    """Return the inhibition that belongs to an excitation, pA/Hz."""
    return 25.2 if muEE == STRONG else 19.7


def amplitude_of(muEE: float) -> float:
    """Return the amplitude of the pulse that belongs to an excitation, Hz."""
    return 1.9 * {WEAK: 22.05, STRONG: 11.54}.get(muEE, 21.8)


def feedback_axis(macaque: Connectome) -> dict[str, Connectome]:
    """Return the connectome with and without feedback."""
    return {"with feedback": macaque, "without feedback": macaque.without_feedback()}
