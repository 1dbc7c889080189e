"""Quantiles of an observable over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError, shown
from gbaexplore.basics.numbers import array
from gbaexplore.measures.base import Now, Run, Sampling, StreamingMeasure, Variable
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome

_MARKERS = 5


@dataclass(frozen=True)
class Quantile(StreamingMeasure):
    """Quantiles of the samples of the window, in each area, estimated without storing the samples.

    The P2 algorithm (Jain & Chlamtac 1985, Communications of the ACM 28:1076-1085) moves five markers for each
    quantile. It is approximate: the error is one or two hundredths of the spread for smooth distributions and some
    thousand independent samples. Samples that change slowly count as fewer: with fifty independent ones the error is
    a twentieth of the spread in the median and a fifth in a tail, about the sampling error itself.

    Args:
        q: the quantiles, each between 0 and 1.
    """

    q: tuple[float, ...] = (0.05, 0.5, 0.95)

    def __post_init__(self) -> None:
        object.__setattr__(self, "q", checked_quantiles(self.q, "Quantile(q=...)"))
        if not self.q:
            raise UserError("Quantile(q=()): expected at least one quantile, such as 0.5")

    def sampling(self, dt: float, n_steps: int) -> Sampling:
        found = super().sampling(dt, n_steps)
        if found.number < _MARKERS:
            raise UserError(f"Quantile needs a window of at least {_MARKERS} samples; found {found.number}")
        return found

    def variables(self, model: Model) -> dict[str, Variable]:
        what, name, units = self.measured(model)
        dims = (f"quantile{self.suffix}", "area")
        return {f"{what}_quantile": Variable(dims, units, f"quantile of {name} over the window")}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        return {f"quantile{self.suffix}": (np.array(self.q), {"units": "1", "long_name": "quantile"})}

    def init(self, change: Any, run: Run) -> Any:
        """Return the markers' heights and positions: five arrays each, (quantile, area)."""
        shape = (len(self.q), len(change))
        heights = [jnp.full(shape, jnp.inf, change.dtype)] * (_MARKERS - 1)
        positions = [jnp.full(shape, i, change.dtype) for i in range(_MARKERS)]
        return [jnp.broadcast_to(change, shape), *heights], positions

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        heights, positions = acc
        few = _inserted(heights, change), positions
        more = self._moved(heights, positions, change, now)
        return jax.tree.map(lambda a, b: jnp.where(now.sample < _MARKERS, a, b), few, more)

    def _moved(self, heights: list[Any], positions: list[Any], change: Any, now: Now) -> tuple[list[Any], list[Any]]:
        low, *inner, high = heights
        passed = [positions[0], *(n + (change < h) for n, h in zip(positions[1:-1], inner)), positions[-1] + 1]
        markers = [jnp.minimum(low, change), *inner, jnp.maximum(high, change)], passed
        q = np.array(self.q)
        for i, share in enumerate((q / 2, q, (1 + q) / 2), start=1):
            _adjust(*markers, now.sample.astype(change.dtype) * jnp.asarray(share, change.dtype)[:, None], i)
        return markers

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {f"{run.what}_quantile": rest + acc[0][2]}


def checked_quantiles(given: Sequence[float], what: str) -> tuple[float, ...]:
    """Return quantiles as a tuple.

    Raises:
        UserError: one is not between 0 and 1, or is given twice.
    """
    found = np.atleast_1d(array(given, what))
    if found.ndim > 1 or not ((found > 0) & (found < 1)).all() or len(np.unique(found)) < len(found):
        found_text = shown(tuple(found.ravel().tolist()))
        raise UserError(f"{what} has {found_text}; expected different numbers between 0 and 1")
    return tuple(found.tolist())


def _inserted(heights: list[Any], value: Any) -> list[Any]:
    """Return a sorted list, infinite where not yet filled, with one more value."""
    first, *others = heights
    return [jnp.minimum(first, value), *(jnp.minimum(h, jnp.maximum(b, value)) for b, h in zip(heights, others))]


def _adjust(heights: list[Any], positions: list[Any], wanted: Any, i: int) -> None:
    """Move marker i by one place if it is off by one or more: along a parabola, or a line to keep the order."""
    low, here, high = heights[i - 1 : i + 2]
    before, at, after = positions[i - 1 : i + 2]
    up, down = (wanted - at >= 1) & (after - at > 1), (wanted - at <= -1) & (at - before > 1)
    side = jnp.where(up, 1.0, -1.0).astype(here.dtype)
    rising, falling = (high - here) / (after - at), (here - low) / (at - before)
    parabola = here + side / (after - before) * ((at - before + side) * rising + (after - at - side) * falling)
    line = here + side * jnp.where(up, rising, falling)
    moved = jnp.where((low < parabola) & (parabola < high), parabola, line)
    moves = up | down
    heights[i], positions[i] = jnp.where(moves, moved, here), jnp.where(moves, at + side, at)
