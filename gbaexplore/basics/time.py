"""Seconds to steps: the one place where a time is divided by dt."""

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number


def whole_steps(time_s: float, dt: float, what: str) -> int:
    """Return how many steps of `dt` seconds make `time_s` seconds.

    Raises:
        UserError: dt does not divide the time (to one part in a million of a step).
    """
    time_s, dt = number(time_s, what, "s"), number(dt, "dt", "s")
    if dt <= 0:
        raise UserError(f"dt = {dt:g} s; expected a time above 0")
    exact = time_s / dt
    steps = round(exact)
    if abs(exact - steps) > 1e-6 * max(1.0, abs(exact)):
        raise UserError(
            f"{what} = {time_s:g} s is {exact:.6g} steps of dt = {dt:g} s; expected a whole number of steps: "
            f"use {steps * dt:.12g} s, or another dt"
        )
    return steps
