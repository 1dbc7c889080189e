"""Seconds to steps: the only place where a time is divided by dt."""

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number


def whole_steps(time_s: float, dt: float, what: str) -> int:
    """Return the number of steps of `dt` seconds in `time_s` seconds.

    Raises:
        UserError: dt does not divide the time (to one millionth of a step).
    """
    time_s, dt = number(time_s, what, "s"), number(dt, "dt", "s")
    if dt <= 0:
        raise UserError(f"dt = {dt:g} s; expected a time above 0")
    exact = time_s / dt
    if not abs(exact) < 2**53:
        raise UserError(f"{what} = {time_s:g} s is {exact:g} steps of dt = {dt:g} s; expected fewer than 2^53")
    steps = round(exact)
    if abs(exact - steps) > max(1e-6, 1e-12 * abs(exact)):  # the second term: rounding of the two times
        raise UserError(
            f"{what} = {time_s:g} s is {exact:.12g} steps of dt = {dt:g} s; expected a whole number of steps: "
            f"use {steps * dt:.12g} s, or another dt"
        )
    return steps
