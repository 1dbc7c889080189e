"""Dimension names, variable attributes and number formats: what a Dataset says about itself."""

from __future__ import annotations

from collections.abc import Iterable
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
    return np.array([float(f"{value:.12g}") for value in values.ravel()]).reshape(values.shape)


def thinned(labels: Iterable[Any], most: int = 32) -> dict[int, str]:
    """Return labels by their positions; of more than can be read side by side, every second, or third, ...

    >>> thinned(["V1", "V2", "V4"], most=2)
    {0: 'V1', 2: 'V4'}
    """
    words = [str(label) for label in labels]
    return {i: words[i] for i in range(0, len(words), -(-len(words) // most) or 1)}
