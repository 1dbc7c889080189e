"""The time course of an observable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome


@dataclass(frozen=True)
class Trace(StreamingMeasure):
    """Time course: the change from rest at every n-th sample of the window, in some areas (all if None).

    It is the change that is stored, because 1e-6 Hz on top of 10 Hz does not fit into a float32. Memory and
    disk grow with the number of samples kept.
    """

    every: int = 1
    areas: tuple[str, ...] | None = None

    skips_rest: ClassVar[bool] = True
    places_samples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.every, (int, np.integer)) or self.every < 1:
            raise UserError(f"Trace(every={self.every}): expected a whole number of at least 1")
        if self.areas is not None:
            object.__setattr__(self, "areas", tuple(self.areas))

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
        # One row more than there are samples to keep: what is not kept is written there.
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
