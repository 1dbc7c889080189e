"""The frequency at which an observable has most power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from gbaexplore.measures.base import Run, Variable
from gbaexplore.measures.spectrum import Spectrum
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome


@dataclass(frozen=True)
class SpectralPeak(Spectrum):
    """The frequency with the largest power spectral density, in each area: see `Spectrum`.

    Args:
        frequencies: among which it is looked for, in Hz, multiples of 1 / segment.
        segment: length of a segment, s; the whole window if None.
    """

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, _ = self.measured(model)
        constant = "the power is 0 at all frequencies"
        return {f"peak_frequency_{what}": Variable(("area",), "Hz", f"frequency with most power of {name}", constant)}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        super().coordinates(connectome, dt, n_steps)
        return {}

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        (power,) = super().finish(acc, rest, run).values()
        found = jnp.asarray(np.array(self.frequencies), power.dtype)[power.argmax(axis=0)]
        return {f"peak_frequency_{run.what}": jnp.where(power.max(axis=0) > 0, found, jnp.nan)}
