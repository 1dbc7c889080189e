"""What a study says of all its points: its name, the clock, the ceiling, the precision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.time import whole_steps


@dataclass(frozen=True)
class Settings:
    """Settings of a study; see `Study` for their meanings and units.

    Raises:
        UserError: one of them is no name or number that it can be.
    """

    name: str
    dt: float
    duration: float
    ceiling: float
    precision: Literal["float32", "float64"]
    block_points: int | None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w][\w.-]*", self.name):
            raise UserError(f"study name {self.name!r}: expected letters, digits, '-', '_' and '.'; it names the store")
        for what in ("dt", "duration", "ceiling"):
            value = getattr(self, what)
            if not isinstance(value, (int, float, np.number)) or not (np.isfinite(value) and value > 0):
                raise UserError(f"{what} = {value!r}; expected a finite number above 0")
        if self.precision not in ("float32", "float64"):
            raise UserError(f'precision = {self.precision!r}; expected "float32" or "float64"')
        if self.block_points is not None and not (isinstance(self.block_points, int) and self.block_points > 0):
            raise UserError(f"block_points = {self.block_points!r}; expected a whole number above 0, or None")
        whole_steps(self.duration, self.dt, "duration")

    @property
    def n_steps(self) -> int:
        """Number of steps of a whole run."""
        return whole_steps(self.duration, self.dt, "duration")
