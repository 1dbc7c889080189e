"""Connectomes made by a rule and a seed: null models, and networks of any size.

Each says in its name how it was made. FLN is normalised as it is defined, as the fraction of an area's input: every
row sums to 1 (to 0 in an area that gets nothing). The same arguments and seed make the same connectome.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.networks.connectome import Connectome

_RADIUS_MM = 26.5  # a ball in which two places are 27 mm apart on average, as the macaque's 29 areas are
_SWAPS = 10  # attempted for each pathway; beyond that, nothing is left of where it was
_MOST_AXONS = 1e15  # that can be drawn and counted


def distance_rule(
    places: int | np.ndarray | Connectome,
    length_mm: float = 5.3,
    density: float = 0.66,
    seed: int = 0,
    hierarchy: Any = None,
) -> Connectome:
    """Return a connectome in which axons between areas at a distance d are as frequent as exp(-d / length_mm).

    Axons are drawn one at a time, from all pairs of areas with these probabilities, until the wanted share of the
    pathways is there. FLN is each source's share of the axons that come into an area. `wiring_mm` is the distance.

    Args:
        places: how many areas, at random in a ball as large as the macaque's cortex; or the area's positions, (n, 1 to
            3) in mm; or a connectome whose areas, hierarchy and wiring distances are taken.
        length_mm: of the rule; 5.3 mm is the macaque's (0.188 per mm).
        density: share of the n (n - 1) possible pathways; 0.66 is the macaque's.
        seed: of the places, if these are random, and of the axons.
        hierarchy: (n,) position of each area, 0 to 1, rising. None: that of `places` if it is a connectome, else
            evenly spaced in the order of the areas, which then has nothing to do with where they are.

    Raises:
        UserError: arguments out of range; pathways too long for the rule ever to draw them.

    Source: the exponential distance rule of Ercsey-Ravasz et al. (2013), Neuron 80(1):184-197. There a length is drawn
    first, and then a pair of areas at this distance; here a pair at once, so that more pairs have more axons.
    """
    if not (np.isfinite(length_mm) and length_mm > 0):
        raise UserError(f"length_mm = {length_mm}; expected a length above 0, such as 5.3")
    rng = _rng(seed)
    areas, levels, wiring = _placed(places, rng)
    n = len(areas)
    count = _pathways(n, density)
    axons = np.zeros((n, n))
    pairs = ~np.eye(n, dtype=bool)
    axons[pairs] = _axons(wiring[pairs] / length_mm, count, rng)
    name = f"distance rule, {n} areas, {length_mm:g} mm, density {density:g}, seed {seed}"
    if isinstance(places, Connectome):
        name = f"{places.name}, {name}"
    return Connectome(name, areas, _levels(n, hierarchy, levels), _fractions(axons), wiring_mm=wiring)


def erdos_renyi(areas: int, density: float = 0.66, seed: int = 0, hierarchy: Any = None) -> Connectome:
    """Return a connectome whose pathways are any of the possible ones, with the same probability.

    The number of pathways is fixed (the model G(n, M), directed); all that come into an area have the same FLN.

    Args:
        areas: how many areas.
        density: share of the n (n - 1) possible pathways.
        seed: of the choice.
        hierarchy: (n,) position of each area, 0 to 1, rising; evenly spaced if None.

    Raises:
        UserError: arguments out of range.

    Source: Erdos & Renyi (1959), Publicationes Mathematicae 6:290-297.
    """
    _check_count(areas)
    chosen = _rng(seed).permutation(areas * (areas - 1))[: _pathways(areas, density)]
    there = np.zeros(areas * (areas - 1))
    there[chosen] = 1.0
    axons = np.zeros((areas, areas))
    axons[~np.eye(areas, dtype=bool)] = there
    name = f"Erdos-Renyi, {areas} areas, density {density:g}, seed {seed}"
    return Connectome(name, _names(areas), _levels(areas, hierarchy), _fractions(axons))


def shuffled(connectome: Connectome, keep: Literal["degree", "weights"], seed: int = 0) -> Connectome:
    """Return the connectome shuffled: what is kept stays exactly as it is, all else is random.

    keep="degree": which areas are connected is random; each keeps the number of pathways into it and out of it. Two
    pathways a -> b and c -> d become a -> d and c -> b, over and over, where neither is there yet and none leads back
    to its own area. The FLN stay with their target: each area keeps the values that it receives, from other sources.

    keep="weights": all pathways stay. Each area's incoming FLN are dealt anew among its own sources.

    Both keep every row's values, and so its sum. Hierarchy and wiring distances stay; SLN, which belonged to a
    pathway's place, is left out.

    Args:
        connectome: to be shuffled.
        keep: what stays.
        seed: of the shuffle. Rewiring takes half a minute per million pathways.

    Raises:
        UserError: another `keep`; no two pathways that could be swapped (as where all areas are connected).

    Source: Maslov & Sneppen (2002), Science 296:910-913, for the swaps.
    """
    shuffles = {"degree": _rewired, "weights": _dealt}
    if keep not in shuffles:
        raise UserError(f'shuffled(keep="{keep}"); expected "degree" or "weights"')
    sources = shuffles[keep](connectome, _rng(seed))

    def moved(matrix: np.ndarray) -> np.ndarray:
        return np.where(sources >= 0, np.take_along_axis(matrix, np.maximum(sources, 0), axis=1), 0.0)

    inhibitory = None if connectome.fln_inhibitory is None else moved(connectome.fln_inhibitory)
    name = f"{connectome.name}, shuffled, same {keep}, seed {seed}"
    return replace(connectome, name=name, fln=moved(connectome.fln), fln_inhibitory=inhibitory, sln=None)


# What a shuffle does: (n, n), from which source each pathway target <- source gets its FLN; -1 where there is none.


def _rewired(connectome: Connectome, rng: np.random.Generator) -> np.ndarray:
    there = connectome.fln > 0
    targets, sources = (found.tolist() for found in np.nonzero(there))
    moved, free = list(sources), (~there & ~np.eye(len(there), dtype=bool)).tolist()
    swaps = 0
    for _ in range(_SWAPS):
        for i, j in rng.integers(len(targets), size=(len(targets), 2)).tolist():
            into_i, into_j = free[targets[i]], free[targets[j]]
            if into_i[moved[j]] and into_j[moved[i]]:
                into_i[moved[i]] = into_j[moved[j]] = True
                moved[i], moved[j] = moved[j], moved[i]
                into_i[moved[i]] = into_j[moved[j]] = False
                swaps += 1
    if not swaps:
        raise UserError(
            f'{connectome.name}: no two of its {len(targets)} pathways can be swapped; shuffled(keep="degree") needs '
            "areas that are not all connected"
        )
    found = np.full(there.shape, -1)
    found[targets, moved] = sources
    return found


def _dealt(connectome: Connectome, rng: np.random.Generator) -> np.ndarray:
    found = np.full(connectome.fln.shape, -1)
    for row, fln in zip(found, connectome.fln):
        (sources,) = np.nonzero(fln)
        row[sources] = rng.permutation(sources)
    return found


# What a rule is made of.


def _axons(lengths: np.ndarray, pathways: int, rng: np.random.Generator) -> np.ndarray:
    """Return how many axons each pair has when this many pairs have some; `lengths` are in units of the rule's.

    Drawing one axon after the other is the same as letting each pair grow its own at random times, at a rate of
    exp(-length), until enough pairs have one.
    """
    rate = np.exp(-lengths)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = rng.exponential(size=rate.size) / rate
        time = np.sort(first)[pathways - 1]
        later = rate * np.maximum(0.0, time - first)
    if not later.sum() < _MOST_AXONS:
        raise UserError(
            f"distances of up to {lengths.max():.0f} times length_mm; expected a larger length_mm, a lower density or "
            "places that are nearer: the rule does not draw pathways that long"
        )
    return np.where(first <= time, 1.0 + rng.poisson(later), 0.0)


def _fractions(axons: np.ndarray) -> np.ndarray:
    """Return each row divided by its sum."""
    return axons / np.maximum(axons.sum(axis=1, keepdims=True), 1.0)


def _placed(places: Any, rng: np.random.Generator) -> tuple[tuple[str, ...], np.ndarray | None, np.ndarray]:
    """Return the areas' names, their hierarchy if it is known, and their distances."""
    if isinstance(places, Connectome):
        if places.wiring_mm is None:
            raise UserError(f"{places.name} has no wiring_mm; expected a connectome with distances, or positions")
        return places.areas, places.hierarchy, places.wiring_mm
    if np.ndim(places) == 0:
        _check_count(places)
        places = _in_a_ball(places, rng)
    positions = np.asarray(places, dtype=np.float64)
    if positions.ndim != 2 or len(positions) < 2 or positions.shape[1] not in (1, 2, 3):
        raise UserError(f"positions of shape {positions.shape}; expected (areas, 1 to 3), in mm, of at least two areas")
    apart = np.linalg.norm(positions[:, None] - positions[None, :], axis=2)
    return _names(len(positions)), None, apart


def _in_a_ball(areas: int, rng: np.random.Generator) -> np.ndarray:
    direction = rng.normal(size=(areas, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return _RADIUS_MM * direction * np.cbrt(rng.uniform(size=(areas, 1)))


def _names(areas: int) -> tuple[str, ...]:
    """Return a0, a1, ..., all of one length, so that they sort as they stand."""
    return tuple(f"a{i:0{len(str(areas - 1))}d}" for i in range(areas))


def _levels(areas: int, given: Any, otherwise: np.ndarray | None = None) -> np.ndarray:
    if given is None:
        return np.linspace(0, 1, areas) if otherwise is None else otherwise
    return np.asarray(given)


def _pathways(areas: int, density: float) -> int:
    count = round(density * areas * (areas - 1)) if 0 < density <= 1 else 0
    if not count:
        raise UserError(f"density = {density}; expected a share above 0 and up to 1, of at least one pathway")
    return count


def _check_count(areas: Any) -> None:
    if not isinstance(areas, (int, np.integer)) or areas < 2:
        raise UserError(f"{areas!r} areas; expected a whole number of at least 2")


def _rng(seed: int) -> np.random.Generator:
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise UserError(f"seed = {seed!r}; expected a whole number of at least 0")
    return np.random.default_rng(seed)
