"""The time course of an observable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import whole_number
from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome

_MOST_EVERY = 2**31 - 1  # the engine counts in 32 bits


@dataclass(frozen=True)
class Trace(StreamingMeasure):
    """Time course: the change from rest at every n-th sample of the window, in some areas (all if None).

    The change is stored, not the rate, because float32 can't resolve 1e-6 Hz on top of 10 Hz. Memory and disk grow
    with the number of samples kept.
    """

    every: int = 1
    areas: tuple[str, ...] | None = None

    skips_rest: ClassVar[bool] = True
    places_samples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", whole_number(self.every, "every of Trace", least=1))
        if self.every > _MOST_EVERY:
            raise UserError(f"every of Trace = {self.every}; expected at most {_MOST_EVERY:,}")
        if self.areas is not None:
            listed = isinstance(self.areas, (list, tuple)) or getattr(self.areas, "ndim", 0) == 1
            areas = tuple(self.areas) if listed else ()
            if not areas or not all(isinstance(area, str) for area in areas):
                raise UserError(
                    f"areas of Trace = {' '.join(repr(self.areas)[:60].split())}; expected names of areas, such as "
                    '("V1", "24c"), or None for all'
                )
            object.__setattr__(self, "areas", areas)

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        area = "area" if self.areas is None else f"trace_area{self.suffix}"
        return {"rate_change": Variable((f"time{self.suffix}", area), units, f"change of {name} from rest")}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        first, stop = self.steps(dt, n_steps)
        times = np.round(np.arange(first, stop, self.every) * dt, 12)
        found = {f"time{self.suffix}": (times, {"units": "s", "long_name": "time from the start of the run"})}
        if self.areas is not None:
            for area in self.areas:
                connectome.index(area)
            found[f"trace_area{self.suffix}"] = (np.array(self.areas, dtype=object), {"long_name": "area"})
        return found

    def _rows(self, run: Run) -> int:
        return -(-run.samples // self.every)

    def init(self, change: Any, run: Run) -> Any:
        # One row more than there are samples to keep: all other samples are written there.
        count = len(run.areas if self.areas is None else self.areas)
        return jnp.zeros((self._rows(run) + 1, count), change.dtype)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        if self.areas is not None:
            change = change[np.array([run.areas.index(area) for area in self.areas])]
        kept = (now.sample >= 0) & (now.sample < run.samples) & (now.sample % self.every == 0)
        row = jnp.where(kept, now.sample // self.every, self._rows(run))
        return jax.lax.dynamic_update_index_in_dim(acc, change, row, 0)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {"rate_change": acc[:-1]}
