"""Integration schemes: a table of explicit Runge-Kutta schemes, and the function that takes their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Scheme(NamedTuple):
    """An explicit Runge-Kutta scheme: its Butcher tableau, each row over a denominator of its own."""

    order: int
    """The error is ~ dt^order."""
    noise: bool
    """Whether it converges with noise in the slope."""
    tableau: tuple[tuple[int, tuple[int, ...]], ...]
    """Rows (denominator, numerators). The first slope is taken at the old state; row i weights slopes 1 to i and gives
    the state at which slope i + 1 is taken. The last row gives the new state."""


SCHEMES = {
    "euler": Scheme(1, True, ((1, (1,)),)),
    "heun": Scheme(2, True, ((1, (1,)), (2, (1, 1)))),
    "rk4": Scheme(4, False, ((2, (1,)), (2, (0, 1)), (1, (0, 0, 1)), (6, (1, 2, 2, 1)))),
}


def stepped(scheme: Scheme, slope: Callable[[Any], Any], x: Any, dt: float) -> Any:
    """Return the state dt seconds after x; `slope` gives dx/dt of a state."""
    state, slopes = x, []
    for denominator, numerators in scheme.tableau:
        slopes.append(slope(state))
        state = jax.tree.map(lambda a, *k: a + dt / denominator * _weighted(numerators, k), x, *slopes)  # noqa: B023
    return state


def _weighted(numerators: tuple[int, ...], slopes: tuple[Any, ...]) -> Any:
    first, *others = (k if n == 1 else n * k for n, k in zip(numerators, slopes) if n)
    return sum(others, start=first)
