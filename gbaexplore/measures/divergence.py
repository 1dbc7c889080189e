"""When and where a point diverged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model

_NEVER = 2**31 - 1  # a step's number that no run has


@dataclass(frozen=True)
class Divergence(StreamingMeasure):
    """When a point diverged, and in which area first: its change from rest passed the study's ceiling, or overflowed.

    `diverged_at` is the time from the start of the run, `diverged_area` the area's position along `area` (the first of
    several at the same step): `ds.area[int(one.diverged_area)]` is its name. Both are NaN where the observable stayed
    within the ceiling in the window.
    """

    skips_rest: ClassVar[bool] = True
    ends_early: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        name, why = self.observable(model), "the point did not diverge"
        when, where = f"time at which {name} passed the ceiling", f"position of the area in which {name} did so first"
        return {
            "diverged_at": Variable((), "s", when, missing=why, if_diverged=True),
            "diverged_area": Variable((), "1", where, missing=why, if_diverged=True),
        }

    def init(self, change: Any, run: Run) -> Any:
        return jnp.full_like(change, _NEVER, dtype=jnp.int32)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        within = (change <= run.ceiling) & (change > -jnp.inf)
        return jnp.where(within, acc, jnp.minimum(acc, now.step))

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        # A point ends some steps after it has diverged: of what happens in these, nothing is kept.
        first, area = jnp.min(acc), jnp.argmin(acc).astype(rest.dtype)
        found = first < _NEVER
        return {
            "diverged_at": jnp.where(found, first.astype(rest.dtype) * run.dt, jnp.nan),
            "diverged_area": jnp.where(found, area, jnp.nan),
        }
