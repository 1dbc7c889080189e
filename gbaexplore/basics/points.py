"""Names of a point's values other than parameters, and the hash of its coordinates, which keys its noise."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import whole_number

AMPLITUDE = "amplitude"
VELOCITY = "velocity"
SEED = "seed"
NOISE = "noise key"
"""A point's value that holds the hash which keys its noise; no parameter can have this name."""

SHARED, INDEPENDENT = "shared", "independent"
"""Whose noise is one: that of all points of a seed, or nobody's but a point's own."""


def amplitude_of(name: str) -> str:
    """Return the parameter that is the amplitude of the stimulus into an input of this name."""
    return f"{AMPLITUDE}_{name}"


_LARGEST_SEED = 10**12 - 1  # points are told apart by 12 digits


def checked_seed(value: Any) -> int:
    """Return a seed.

    Raises:
        UserError: anything but a whole number from 0 to 999,999,999,999.
    """
    found = whole_number(value, SEED)
    if found > _LARGEST_SEED:
        raise UserError(f"{SEED} = {found}; expected at most {_LARGEST_SEED:,}: points are told apart by 12 digits")
    return found


def coordinate_hashes(coordinates: Mapping[str, Any]) -> np.ndarray:
    """Return one hash per point from its coordinates, uint64, (point,); the order of the axes does not matter.

    Args:
        coordinates: axis -> values (point,), numbers to 12 digits or labels; or one value for all points.
    """
    total = np.zeros(1, np.uint64)
    for axis, values in coordinates.items():
        different, at = np.unique(np.atleast_1d(values), return_inverse=True)
        hashes = np.array([_hash(axis, value) for value in different.tolist()], dtype=np.uint64)
        total = total + hashes[at]
    return total


def noise_hashes(noise: str, seed: Any, coordinates: Mapping[str, Any]) -> np.ndarray:
    """Return one hash per point, or one for all points, which keys the noise.

    Args:
        seed: of points whose coordinates have none; the coordinates are as in `coordinate_hashes`.
    """
    if noise == SHARED:
        return coordinate_hashes({SEED: coordinates.get(SEED, seed)})
    return coordinate_hashes({SEED: seed, **coordinates})


def reseeded(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Return the hashes of the same points with another seed, given those with seed 0."""
    return hashes - np.uint64(_hash(SEED, 0.0)) + np.uint64(_hash(SEED, float(seed)))


def _hash(axis: str, value: Any) -> int:
    text = f"{axis}={value}" if isinstance(value, str) else f"{axis}={float(value) + 0.0:.12g}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
