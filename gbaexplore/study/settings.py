"""Settings that hold for all points of a study: name, time, ceiling, precision, noise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import unit
from gbaexplore.basics.numbers import number, whole_number
from gbaexplore.basics.points import INDEPENDENT, SHARED
from gbaexplore.basics.time import whole_steps

_LONGEST_NAME = 200  # bytes: file systems allow 255, and temporary names beside the store are longer
_MOST_STEPS = 2**31 - 1  # the engine counts in 32 bits


@dataclass(frozen=True)
class Settings:
    """Settings of a study; see `Study` for their meanings and units.

    Raises:
        UserError: one of them is not a valid name or number.
    """

    name: str
    dt: float
    duration: float
    ceiling: float
    precision: Literal["float32", "float64"]
    noise: Literal["shared", "independent"]
    block_points: int | None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"\w[\w.-]*", self.name):
            raise UserError(f"study name {self.name!r}: expected letters, digits, '-', '_' and '.'; it names the store")
        if len(self.name.encode()) > _LONGEST_NAME:
            raise UserError(
                f"study name {self.name[:20]}... has {len(self.name.encode())} bytes; expected at most "
                f"{_LONGEST_NAME}: it names the store"
            )
        for what, units in (("dt", "s"), ("duration", "s"), ("ceiling", "1")):
            value = number(getattr(self, what), what, units)
            if value <= 0:
                raise UserError(f"{what} = {value:g}{unit({'units': units}, ' {}')}; expected a number above 0")
            vars(self)[what] = value
        if not isinstance(self.precision, str) or self.precision not in ("float32", "float64"):
            raise UserError(f'precision = {self.precision!r}; expected "float32" or "float64"')
        if not isinstance(self.noise, str) or self.noise not in (SHARED, INDEPENDENT):
            raise UserError(
                f'noise = {self.noise!r}; expected "shared" (points of one seed have the same noise) or "independent"'
            )
        if self.block_points is not None:
            vars(self)["block_points"] = whole_number(self.block_points, "block_points", least=1)
        if not 0 < self.n_steps <= _MOST_STEPS:
            raise UserError(
                f"duration = {self.duration:g} s is {self.n_steps:,} steps of dt = {self.dt:g} s; expected 1 to "
                f"{_MOST_STEPS:,}"
            )

    @property
    def n_steps(self) -> int:
        """Number of steps of a run."""
        return whole_steps(self.duration, self.dt, "duration")
