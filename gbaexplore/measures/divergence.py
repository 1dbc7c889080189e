"""When and where a point diverged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model

_NEVER = 2**31 - 1  # larger than the number of any step


@dataclass(frozen=True)
class Divergence(StreamingMeasure):
    """When and where a point diverged: when its change from rest first passed the study's ceiling or overflowed.

    `diverged_at` is the time from the start of the run. `diverged_area` is the area's position along `area`, the
    first if several diverged in the same step; its name is `ds.area[int(one.diverged_area)]`. Both are NaN where the
    observable stayed within the ceiling during the window.
    """

    skips_rest: ClassVar[bool] = True
    ends_early: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        name, why = self.observable(model), "the point did not diverge"
        when, where = f"when {name} first passed the ceiling", f"area in which {name} first passed the ceiling"
        along = "position along the dimension area"
        return {
            "diverged_at": Variable((), "s", "time of divergence", missing=why, if_diverged=True, comment=when),
            "diverged_area": Variable((), "1", where, missing=why, if_diverged=True, comment=along),
        }

    def init(self, change: Any, run: Run) -> Any:
        return jnp.full_like(change, _NEVER, dtype=jnp.int32)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        within = (change <= run.ceiling) & (change > -jnp.inf)
        return jnp.where(within, acc, jnp.minimum(acc, now.step))

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        # A point ends some steps after it has diverged; nothing of these steps counts.
        first, area = jnp.min(acc), jnp.argmin(acc).astype(rest.dtype)
        found = first < _NEVER
        return {
            "diverged_at": jnp.where(found, first.astype(rest.dtype) * run.dt, jnp.nan),
            "diverged_area": jnp.where(found, area, jnp.nan),
        }
