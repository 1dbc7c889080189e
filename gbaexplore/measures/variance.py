"""The variance of an observable over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from gbaexplore.basics.names import squared
from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.measures.sums import plus
from gbaexplore.models.base import Model


@dataclass(frozen=True)
class Variance(StreamingMeasure):
    """Variance over the window about the window's own mean, in each area (Welford 1962, Technometrics 4:419-420).

    A window not much longer than the slowest fluctuation underestimates the stationary variance.
    """

    skips_rest: ClassVar[bool] = True
    any_shape: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, units = self.measured(model)
        return {f"{what}_variance": Variable(self.dims(model), squared(units), f"variance of {name} over the window")}

    def init(self, change: Any, run: Run) -> Any:
        zero = jnp.zeros_like(change)
        return change, zero, zero, zero

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        # Skipped samples at rest would have left mean and sum at 0.
        mean, mean_lost, total, lost = acc
        off = (change - mean) + mean_lost
        # After many samples, the change of the mean is too small for float32 to add to it: 1e-6 of 100 Hz.
        mean, mean_lost = plus(mean, mean_lost, off / (now.sample + 1).astype(change.dtype))
        return mean, mean_lost, *plus(total, lost, off * ((change - mean) + mean_lost))

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {f"{run.what}_variance": acc[2] / run.samples}
