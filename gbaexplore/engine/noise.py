"""Random numbers: they depend on a point's key (its seed's, or its own) and on the step, and on nothing else.

The generator is counter-based, so there is no state to carry, and the numbers of a step are the same in any batch,
on any worker, in any block and after any extension of the grid: Threefry 2x32 with 13 rounds (Salmon, Moraes, Dror &
Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11), keyed by a hash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

START = 2**31 - 1
"""The step's number at which a random start takes its numbers: no run is as long."""

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_ANGLE_BITS = 12


# On the host: the keys of points.


def keys(hashes: np.ndarray) -> np.ndarray:
    """Return the generator's keys, uint32, (point, 2).

    A sum of hashes tells points apart, but sums of neighbours differ by the same: mixed, they do not (the finalizer
    of SplitMix64: Steele, Lea & Flood 2014, OOPSLA).
    """
    mixed = hashes.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed.astype("<u8").view("<u4").reshape(-1, 2).astype(np.uint32)


# On the device: the numbers of one step.


def normals(key: Any, step: Any, draws: int, areas: int) -> Any:
    """Return standard normal numbers, float32, (draws, areas, lanes).

    Args:
        key: (2, lanes) uint32, or (2, 1) for all. step: int32, the step's number, () for all or (lanes,).

    They come in pairs, from 32 random bits each, by the method of Box & Muller (1958): 20 bits make the radius, so
    that none is beyond 5.4, and 12 the angle. Equally spaced angles leave every moment up to the 4,095th exact.
    """
    shape = (-(-draws // 2), areas, max(key.shape[-1], step.size))
    counter = lax.broadcasted_iota(jnp.uint32, shape, 0) * jnp.uint32(areas) + lax.broadcasted_iota(
        jnp.uint32, shape, 1
    )

    def words() -> Any:
        first, second = (jnp.broadcast_to(part, shape) for part in key)
        return threefry(first, second, counter, jnp.broadcast_to(step.astype(jnp.uint32), shape))[0]

    # A branch that is always taken: without it XLA computes the bits anew for each of their uses, at twice the time.
    bits = lax.cond(jnp.max(step) >= 0, words, lambda: jnp.zeros(shape, jnp.uint32))
    return jnp.concatenate(_box_muller(bits))[:draws]


def threefry(k0: Any, k1: Any, c0: Any, c1: Any, rounds: int = 13) -> tuple[Any, Any]:
    """Return two words of 32 random bits for keys (k0, k1) and counters (c0, c1), uint32, elementwise."""
    schedule = (k0, k1, k0 ^ k1 ^ jnp.uint32(_PARITY))
    x0, x1 = c0 + k0, c1 + k1
    for i in range(rounds):
        turn = _ROTATIONS[i % 8]
        x0 = x0 + x1
        x1 = x0 ^ ((x1 << jnp.uint32(turn)) | (x1 >> jnp.uint32(32 - turn)))
        if i % 4 == 3:
            j = i // 4 + 1
            x0, x1 = x0 + schedule[j % 3], x1 + schedule[(j + 1) % 3] + jnp.uint32(j)
    return x0, x1


def _box_muller(bits: Any) -> tuple[Any, Any]:
    radius = jnp.sqrt(jnp.float32(-2) * _log_of_fraction(bits >> jnp.uint32(_ANGLE_BITS), 32 - _ANGLE_BITS))
    steps = (bits & jnp.uint32(2**_ANGLE_BITS - 1)).astype(jnp.float32)
    turns = (steps + jnp.float32(0.5)) * jnp.float32(2.0**-_ANGLE_BITS) - jnp.float32(0.5)  # in -1/2 to 1/2
    from_top = jnp.float32(0.25) - jnp.abs(turns)  # cos(2 pi turns) = sin(2 pi from_top)
    folded = jnp.where(turns < 0, jnp.float32(-1), jnp.float32(1)) * (jnp.float32(0.25) - jnp.abs(from_top))
    return radius * _sine(from_top), radius * _sine(folded)


def _interpolated(function: Callable[[np.ndarray], np.ndarray], degree: int, low: float, high: float) -> np.ndarray:
    found = np.polynomial.chebyshev.Chebyshev.interpolate(function, degree, [low, high])
    return found.convert(kind=np.polynomial.Polynomial).coef


# XLA's own log, sin and cos of float32 do more than is needed here, where arguments are in a known range: with these
# polynomials, right to 1e-7, normals take less than a third of the time.
_HALF = 2.0**-0.5
_LOG = _interpolated(lambda m: np.log1p(m) / m, 8, _HALF - 1, 2 * _HALF - 1)  # its points miss m = 0
_SINE = _interpolated(lambda square: np.sin(2 * np.pi * np.sqrt(square)) / np.sqrt(square), 4, 0, 1 / 16)


def _polynomial(coefficients: np.ndarray, x: Any) -> Any:
    value = jnp.float32(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + jnp.float32(coefficient)
    return value


def _sine(turns: Any) -> Any:
    """sin(2 pi turns), for turns in -1/4 to 1/4."""
    return turns * _polynomial(_SINE, turns * turns)


def _log_of_fraction(bits: Any, count: int) -> Any:
    """log((bits + 1/2) / 2^count): the number is taken apart into 2^exponent (1 + m), m around 0."""
    number = lax.bitcast_convert_type(bits.astype(jnp.float32) + jnp.float32(0.5), jnp.int32)
    exponent = (number - jnp.int32(np.float32(_HALF).view(np.int32))) >> jnp.int32(23)
    m = lax.bitcast_convert_type(number - (exponent << jnp.int32(23)), jnp.float32) - jnp.float32(1)
    return m * _polynomial(_LOG, m) + (exponent - count).astype(jnp.float32) * jnp.float32(np.log(2))
