"""Dimension names, variable attributes and number formats: what a Dataset says about itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

AREA = "area"
STATUS = "status"
STATUS_MEANINGS = ("pending", "ok", "diverged", "failed")
PENDING, OK, DIVERGED, FAILED = range(4)

STATUS_ATTRS: dict[str, Any] = {
    "long_name": "state of the point",
    "units": "1",
    "flag_values": [PENDING, OK, DIVERGED, FAILED],
    "flag_meanings": " ".join(STATUS_MEANINGS),
}


def canonical(values: np.ndarray) -> np.ndarray:
    """Return float64 values rounded to 12 significant digits, so that linspace and arange mean the same point.

    >>> canonical(np.array([31 + 3 * 0.1, 0.0]))
    array([31.3,  0. ])
    """
    values = np.asarray(values, dtype=np.float64)
    found, sure = _rounded(values.ravel())
    found[~sure] = [float(f"{value:.12g}") for value in values.ravel()[~sure].tolist()]
    return found.reshape(values.shape)


def _rounded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round most values as `canonical` does, for a table may have millions; also return which are surely right.

    A whole number below 2^53 over a power of ten up to 10^22 is what reading its digits gives: both are exact, and the
    quotient is rounded once. Only which whole number it is may be in doubt, near a tie.
    """
    with np.errstate(all="ignore"):
        power = 11 - np.floor(np.log10(np.abs(values)))
        power = np.where(np.abs(power) <= 22, power, 0.0)
        up, down = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
        scaled = values * up / down
        whole = np.rint(scaled)
        sure = (np.abs(np.abs(scaled - whole) - 0.5) > 1e-2) & (np.abs(whole) >= 1e11) & (np.abs(whole) <= 1e12)
        return np.where(sure, whole * down / up, 0.0), sure


def unit(attrs: Mapping[Any, Any], form: str = " ({})") -> str:
    """Return the unit of a variable with these attributes, in brackets; nothing if it has none.

    >>> unit({"units": "Hz"}), unit({"units": "1"})
    (' (Hz)', '')
    """
    units = attrs.get("units", "1")
    return "" if units == "1" else form.format(units)


def thinned(labels: Iterable[Any], most: int = 32) -> dict[int, str]:
    """Return labels by their positions; of more than can be read side by side, every second, or third, ...

    >>> thinned(["V1", "V2", "V4"], most=2)
    {0: 'V1', 2: 'V4'}
    """
    words = [str(label) for label in labels]
    return {i: words[i] for i in range(0, len(words), -(-len(words) // most) or 1)}
