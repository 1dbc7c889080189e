"""Signals: what is computed of an observable along with the simulation, at a step of its own, and then measured."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number
from gbaexplore.basics.time import whole_steps

_STEP_S = 0.01


@dataclass(frozen=True)
class Signal(ABC):
    """A signal made of an observable, which a measure looks at as at one: `FC(of=BOLD("S"), every=0.72)`.

    It starts with the run, from `start`, whatever the measures' windows. Every `step` seconds it gets the observable's
    mean over that time. Several measures of equal signals share one.

    Args:
        of: the observable, or its name.
        step: seconds, a multiple of dt; the longest up to 10 ms if None.
    """

    of: str
    step: float | None = dataclasses.field(default=None, kw_only=True)

    name: ClassVar[str]
    """The beginning of the names of variables."""
    long_name: ClassVar[str]
    units: ClassVar[str]
    every: ClassVar[float]
    """Seconds from sample to sample of a measure that does not say it."""

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if not isinstance(self.of, str):
            raise UserError(f'{kind}({self.of!r}): expected the name of an observable, such as {kind}("S")')
        if self.step is not None and number(self.step, f"step of {kind}", "s") <= 0:
            raise UserError(f"step of {kind} = {self.step:g} s; expected a time above 0")

    @abstractmethod
    def start(self, areas: int) -> Any:
        """Return the state at t = 0: arrays (area,)."""

    @abstractmethod
    def advanced(self, x: Any, mean: Any, h: float) -> Any:
        """Return the state h seconds later; `mean` (area,) is that of the observable, rest included, over this time."""

    @abstractmethod
    def value(self, x: Any) -> Any:
        """Return the signal, (area,)."""

    def steps(self, dt: float) -> int:
        """Return the number of the simulation's steps in one of its own."""
        if self.step is None:
            return max(1, int(_STEP_S / dt + 1e-6))
        return whole_steps(self.step, dt, f"step of {type(self).__name__}")

    @staticmethod
    def integrated(derivative: Callable[[Any], Any], x: Any, h: float) -> Any:
        """Return the state h seconds later by the classical Runge-Kutta scheme of fourth order."""

        def along(k: Any, share: float) -> Any:
            return jax.tree.map(lambda x, k: x + share * h * k, x, k)

        k1 = derivative(x)
        k2 = derivative(along(k1, 0.5))
        k3 = derivative(along(k2, 0.5))
        k4 = derivative(along(k3, 1.0))
        return jax.tree.map(lambda x, a, b, c, d: x + h / 6 * (a + 2 * (b + c) + d), x, k1, k2, k3, k4)

    def recipe(self) -> dict[str, Any]:
        """Return the JSON data that describes the signal."""
        return {"kind": type(self).__name__, **dataclasses.asdict(self)}
