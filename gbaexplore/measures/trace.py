"""The time course of an observable or a signal."""

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
    """Time course: the change from rest in the window, in some areas (all if None).

    The change is stored, not the rate, because float32 can't resolve 1e-6 Hz on top of 10 Hz; a signal has no rest, and
    is stored as it is. Memory and disk grow with the number of samples: say `every`.
    """

    areas: tuple[str, ...] | None = None

    skips_rest: ClassVar[bool] = True
    any_shape: ClassVar[bool] = True
    large: ClassVar[bool] = True
    places_samples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.areas is not None:
            listed = isinstance(self.areas, (list, tuple)) or getattr(self.areas, "ndim", 0) == 1
            areas = tuple(self.areas) if listed else ()
            if not areas or not all(isinstance(area, str) for area in areas):
                raise UserError(
                    f"areas of Trace = {' '.join(repr(self.areas)[:60].split())}; expected names of areas, such as "
                    '("V1", "V2"), or None for all'
                )
            object.__setattr__(self, "areas", areas)

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, units = self.measured(model)
        *kinds, area = self.dims(model)
        area = area if self.areas is None else f"trace_area{self.suffix}"
        text = f"change of {name} from rest" if self.signal is None else name
        return {_named(self, what): Variable((f"time{self.suffix}", *kinds, area), units, text)}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        first, every, count = self.sampling(dt, n_steps)
        times = np.round((first + every * np.arange(count)) * dt, 12)
        found = {f"time{self.suffix}": (times, {"units": "s", "long_name": "time from the start of the run"})}
        if self.areas is not None:
            for area in self.areas:
                connectome.index(area)
            found[f"trace_area{self.suffix}"] = (np.array(self.areas, dtype=object), {"long_name": "area"})
        return found

    def init(self, change: Any, run: Run) -> Any:
        count = len(run.areas if self.areas is None else self.areas)
        return self._placed(jnp.zeros((run.samples, *change.shape[:-1], count), change.dtype), change, 0, run)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        return self._placed(acc, change, now.sample, run)

    def _placed(self, acc: Any, change: Any, sample: Any, run: Run) -> Any:
        if self.areas is not None:
            change = change[..., np.array([run.areas.index(area) for area in self.areas])]
        return jax.lax.dynamic_update_index_in_dim(acc, change, sample, 0)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {_named(self, run.what): acc}


def _named(measure: Trace, what: str) -> str:
    return f"{what}_change" if measure.signal is None else what
