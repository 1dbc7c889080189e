"""The mean of an observable over a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.measures.sums import plus
from gbaexplore.models.base import Model


@dataclass(frozen=True)
class Mean(StreamingMeasure):
    """Mean over the window, in each area."""

    skips_rest: ClassVar[bool] = True
    any_shape: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, units = self.measured(model)
        return {f"mean_{what}": Variable(self.dims(model), units, f"mean {name} over the window")}

    def init(self, change: Any, run: Run) -> Any:
        return change, jnp.zeros_like(change)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        total, lost = acc
        return plus(total, lost, change)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {f"mean_{run.what}": rest + acc[0] / run.samples}
