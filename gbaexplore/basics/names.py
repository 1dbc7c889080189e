"""Dimension names, attributes of variables, and the numbers and labels of axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

AREA = "area"
STATUS = "status"
STATUS_MEANINGS = ("pending", "ok", "diverged", "failed", "undefined")
PENDING, OK, DIVERGED, FAILED, UNDEFINED = range(len(STATUS_MEANINGS))
MISSING = "missing"
"""The attribute of a variable that says when it has no value at a point that is ok."""

BOUNDED = (OK, UNDEFINED)
"""Computed, and it did not diverge."""
COMPUTED = (*BOUNDED, DIVERGED)

STATUS_ATTRS: dict[str, Any] = {
    "long_name": "state of the point",
    "units": "1",
    "flag_values": list(range(len(STATUS_MEANINGS))),
    "flag_meanings": " ".join(STATUS_MEANINGS),
}


def canonical(values: np.ndarray) -> np.ndarray:
    """Return values as float64 labels: linspace, arange and float32 give the same ones.

    Values are rounded to 12 significant digits; single precision is converted by `decimals`; among evenly spaced values
    a rounding error in the place of 0 becomes 0.

    >>> canonical(np.array([31 + 3 * 0.1, 0.0]))
    array([31.3,  0. ])
    >>> canonical(np.arange(-0.2, 0.15, 0.1))
    array([-0.2, -0.1,  0. ,  0.1])
    """
    values = np.asarray(values)
    error = 1e-11 if np.finfo(values.dtype if values.dtype.kind == "f" else float).precision > 6 else 1e-5
    values = decimals(values)
    found, sure = _rounded(values.ravel())
    found[~sure] = [float(f"{value:.12g}") for value in values.ravel()[~sure].tolist()]
    found[_computed_zeros(found, error)] = 0.0
    return found.reshape(values.shape)


def decimals(values: np.ndarray) -> np.ndarray:
    """Return numbers as float64; single precision as the decimal number that was meant.

    That is the nearest number of 6 digits if rounding errors of single precision explain the difference (up to 2.5
    units in the last place), else the number that Python prints.

    >>> decimals(np.float32([20.1, 20.300001, 1000.0625]))
    array([  20.1   ,   20.3   , 1000.0625])
    """
    if values.dtype.kind != "f" or values.dtype.itemsize >= 8:
        return values.astype(np.float64)
    short = np.array([float(f"{value:.{np.finfo(values.dtype).precision}g}") for value in values.ravel().tolist()])
    short = short.reshape(values.shape)
    with np.errstate(all="ignore"):
        near = np.abs(short - values.astype(np.float64)) <= 2.5 * np.spacing(np.abs(values)).astype(np.float64)
    return np.where(near, short, values.astype(str).astype(np.float64))


def _computed_zeros(values: np.ndarray, error: float) -> np.ndarray:
    """Return the positions of values that are rounding errors of 0: tiny, and among evenly spaced neighbours."""
    size = np.abs(values)
    (tiny,) = np.nonzero((size > 0) & (size < error * size.max(initial=0.0, where=np.isfinite(size))))
    if not tiny.size:
        return tiny
    known, found = np.unique(values[np.isfinite(values)]), np.zeros(tiny.size, dtype=bool)
    at = np.searchsorted(known, values[tiny])
    for first in (at - 2, at - 1, at):
        inside = (first >= 0) & (first + 2 < known.size)
        low, middle, high = (known[np.where(inside, first + i, 0)] for i in range(3))
        even = np.abs(low - 2 * middle + high) < 10 * error * (high - low)
        found |= inside & even & (size[tiny] < error * (high - low))
    return tiny[found]


def _rounded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round values to 12 digits without a loop, for tables of millions; also return which results are certain.

    A whole number below 2^53 divided by a power of ten up to 10^22 equals the number read from its digits: both are
    exact, and the quotient is rounded once. Only near a tie is it uncertain which whole number to take.
    """
    with np.errstate(all="ignore"):
        power = 11 - np.floor(np.log10(np.abs(values)))
        power = np.where(np.abs(power) <= 22, power, 0.0)
        up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
        scaled = values * up / down
        whole = np.rint(scaled)
        sure = (np.abs(np.abs(scaled - whole) - 0.5) > 1e-2) & (np.abs(whole) >= 1e11) & (np.abs(whole) <= 1e12)
        return np.where(sure, whole * down / up, 0.0), sure


def stored_name(parameter: str, labelled: Iterable[str]) -> str:
    """Return the name of a parameter's coordinate, given the axes of labels: such an axis has its own name already.

    >>> stored_name("omegaEI", []), stored_name("omegaEI", ["omegaEI"])
    ('omegaEI', 'omegaEI_values')
    """
    return f"{parameter}_values" if parameter in labelled else parameter


def unit(attrs: Mapping[Any, Any], form: str = " ({})") -> str:
    """Return the unit from a variable's attributes, in brackets; '' if it has none.

    >>> unit({"units": "Hz"}), unit({"units": "1"})
    (' (Hz)', '')
    """
    units = attrs.get("units", "1")
    return "" if units == "1" else form.format(units)


def squared(units: str) -> str:
    """Return the square of a unit, "1" of none.

    >>> squared("Hz"), squared("s-1"), squared("1")
    ('Hz2', '(s-1)2', '1')
    """
    if units == "1":
        return units
    return f"{units}2" if units.isalpha() else f"({units})2"


def thinned(labels: Iterable[Any], most: int = 32) -> dict[int, str]:
    """Return labels by position; of more than `most`, every second, every third, and so on.

    >>> thinned(["V1", "V2", "V4"], most=2)
    {0: 'V1', 2: 'V4'}
    """
    words = [str(label) for label in labels]
    return {i: words[i] for i in range(0, len(words), -(-len(words) // most) or 1)}
