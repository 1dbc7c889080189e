"""The Kuramoto order parameter: how much the phases of all areas agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from gbaexplore.basics.errors import UserError
from gbaexplore.measures.base import Now, Run, StreamingMeasure, Variable
from gbaexplore.models.base import Model


@dataclass(frozen=True)
class KuramotoOrder(StreamingMeasure):
    """Synchrony and metastability: mean and standard deviation over time of R = |mean over areas of exp(i theta)|.

    R is 1 where all phases are the same (Kuramoto 1984, Chemical Oscillations, Waves, and Turbulence; metastability as
    in Shanahan 2010, Chaos 20:013108).

    Args:
        of: a phase in rad, or two observables (x, y) whose angle is the phase: `of=("x", "y")`.
    """

    of_several: ClassVar[bool] = True
    of_values: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.signal is not None or (isinstance(self.of, (tuple, list)) and len(self.of) != 2):
            raise UserError(f'KuramotoOrder(of={self.of!r}): expected a phase, such as "theta", or two, ("x", "y")')

    def variables(self, model: Model) -> dict[str, Variable]:
        of = " and ".join(self.observables(model))
        return {
            "synchrony": Variable((), "1", f"mean order parameter of {of}"),
            "metastability": Variable((), "1", f"standard deviation of the order parameter of {of}"),
        }

    def init(self, change: Any, run: Run) -> Any:
        order = self._order(change)
        return order, jnp.zeros_like(order)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        mean, squares = acc
        off = self._order(change) - mean
        mean = mean + off / (now.sample + 1).astype(off.dtype)
        return mean, squares + off * (self._order(change) - mean)

    def _order(self, values: Any) -> Any:
        if isinstance(values, tuple):
            x, y = values
            r = jnp.hypot(x, y)
            cos, sin = (jnp.where(r > 0, part / jnp.where(r > 0, r, 1), 0) for part in (x, y))
        else:
            cos, sin = jnp.cos(values), jnp.sin(values)
        return jnp.hypot(cos.mean(), sin.mean())

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        mean, squares = acc
        return {"synchrony": mean, "metastability": jnp.sqrt(squares / run.samples)}
