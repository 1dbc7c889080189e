"""Seconds to steps: the one place where a time is divided by dt."""

import math
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)


def whole_steps(time_s: float, dt: float, what: str) -> int:
    """Return how many steps of `dt` seconds make `time_s` seconds.

    Raises:
        UserError: dt does not divide the time (to one part in a million of a step).
    """
    if not (_is_time(time_s) and _is_time(dt) and dt > 0):
        raise UserError(f"{what} = {time_s!r} with dt = {dt!r}; expected finite numbers of seconds, dt above 0")
    exact = float(time_s) / float(dt)
    steps = round(exact)
    if abs(exact - steps) > 1e-6 * max(1.0, abs(exact)):
        raise UserError(
            f"{what} = {time_s:g} s is {exact:.6g} steps of dt = {dt:g} s; expected a whole number of steps: "
            f"use {steps * dt:.12g} s, or another dt"
        )
    return steps
