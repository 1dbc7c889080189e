"""Designs: tables of points for studies whose product of axes would be too large."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.names import canonical
from gbaexplore.basics.numbers import array, whole_number

if TYPE_CHECKING:
    import pandas as pd

Ranges = Mapping[str, tuple[float, float]]

_MOST_POINTS = 2**31


def latin_hypercube(n: int, ranges: Ranges, *, log: Collection[str] = (), seed: int = 0) -> pd.DataFrame:
    """Return n points such that each parameter has one value in every n-th part of its range.

    Another n gives other points, so such a store can't be extended; stores of `halton` and `sobol` can.

    Args:
        n: number of points.
        ranges: parameter -> (low, high).
        log: names of parameters whose logarithm is spread evenly.
        seed: of the random numbers.

    Returns:
        A table with a column for each parameter and a row for each point, for `axes={"point": ...}` of a Study.

    Raises:
        UserError: n or the seed is not a whole number, or a range is not one.

    Source: McKay, Beckman & Conover (1979), Technometrics 21:239-245.
    """
    from scipy.stats import qmc

    n, seed = _checked(n, ranges, log, seed)
    return _scaled(qmc.LatinHypercube(len(ranges), rng=seed).random(n), ranges, log)


def halton(n: int, ranges: Ranges, *, log: Collection[str] = (), seed: int = 0) -> pd.DataFrame:
    """Return the first n points of a scrambled Halton sequence; a longer one begins with the same points.

    Arguments, result and errors are those of `latin_hypercube`.

    Source: Halton (1960), Numer. Math. 2:84-90; Owen (2017), arXiv:1706.02808.
    """
    from scipy.stats import qmc

    n, seed = _checked(n, ranges, log, seed)
    return _scaled(qmc.Halton(len(ranges), rng=seed).random(n), ranges, log)


def sobol(n: int, ranges: Ranges, *, log: Collection[str] = (), seed: int = 0) -> pd.DataFrame:
    """Return the first n points of a scrambled Sobol sequence; a longer one begins with the same points.

    Its balance is best where n is a power of 2. Arguments, result and errors are those of `latin_hypercube`.

    Source: Sobol (1967), USSR Comput. Math. Math. Phys. 7:86-112; Owen (1998), J. Complexity 14:466-489.
    """
    n, seed = _checked(n, ranges, log, seed)
    return _scaled(_sequence(n, len(ranges), seed), ranges, log)


def saltelli(n: int, ranges: Ranges, *, log: Collection[str] = (), seed: int = 0) -> pd.DataFrame:
    """Return the n (d + 2) points that `analysis.sobol_indices` needs to rank d parameters.

    They come in n groups of d + 2, for d parameters: a point A, a point B, and for each parameter A with this one taken
    from B. A and B are halves of one Sobol point in 2 d dimensions. A design of larger n begins with the same points.

    Args:
        n: number of groups, a power of 2; with 1,024 the indices of a few parameters are accurate to about 0.01.
        ranges, log, seed: as `latin_hypercube` takes them; parameters are independent, each evenly spread.

    Raises:
        UserError: as `latin_hypercube`; n is not a power of 2.

    Source: Saltelli et al. (2010), Comput. Phys. Commun. 181:259-270.
    """
    n, seed = _checked(n, ranges, log, seed)
    if n & (n - 1):
        raise UserError(f"n = {n}; expected a power of 2, such as {1 << (n.bit_length() - 1)} or {1 << n.bit_length()}")
    d = len(ranges)
    a, b = np.split(_sequence(n, 2 * d, seed), 2, axis=1)
    points = np.stack([a, b, *[a] * d], axis=1)  # (group, A B AB..., parameter)
    points[:, 2 + np.arange(d), np.arange(d)] = b
    return _scaled(points.reshape(-1, d), ranges, log)


def _sequence(n: int, dimensions: int, seed: int) -> np.ndarray:
    """Return the first n points of a Sobol sequence, (n, dimensions) in [0, 1)."""
    from scipy.stats import qmc

    # A power of 2 is drawn, because SciPy warns about any other number; 64 bits are more than float64 has.
    return qmc.Sobol(dimensions, rng=seed, bits=64).random_base2((n - 1).bit_length())[:n]


def _scaled(unit: np.ndarray, ranges: Ranges, log: Collection[str]) -> pd.DataFrame:
    """Scale columns in [0, 1) to ranges."""
    import pandas as pd

    columns = {}
    for (name, (low, high)), u in zip(ranges.items(), unit.T):
        columns[name] = canonical(low * (high / low) ** u if name in log else low + (high - low) * u)
    return pd.DataFrame(columns)


def _checked(n: Any, ranges: Any, log: Collection[str], seed: Any) -> tuple[int, int]:
    """Return `n` and the seed."""
    n, seed = whole_number(n, "n", least=1), whole_number(seed, "seed")
    if n > _MOST_POINTS:
        raise UserError(f"n = {n}; expected at most {_MOST_POINTS:,}")
    if not isinstance(ranges, Mapping) or not ranges:
        raise UserError(f'ranges = {ranges!r}; expected parameters with their ranges, such as {{"G": (0, 3)}}')
    for name, ends in ranges.items():
        pair = array(ends, f'range of "{name}"')
        if pair.shape != (2,) or pair[0] >= pair[1]:
            raise UserError(f'range of "{name}" is {ends!r}; expected two numbers (low, high), low < high')
        low = pair[0]
        if name in log and low <= 0:
            raise UserError(f'range of "{name}" is {ends!r}, which has no logarithm; expected low > 0')
    for name in log:
        if name not in ranges:
            raise UserError(unknown(f'log has "{name}"', name, ranges, "Ranges"))
    return n, seed
