"""The exponential distance rule: long axons are rare."""

from __future__ import annotations

from typing import Any

import numpy as np

from gbaexplore.basics import numbers
from gbaexplore.basics.errors import UserError
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.generators import parts

_RADIUS_MM = 26.5  # a ball in which two places are 27 mm apart on average, as the macaque's 29 areas are
_MOST_AXONS = 1e15  # that can be drawn and counted


def distance_rule(
    places: int | np.ndarray | Connectome,
    length_mm: float = 5.3,
    density: float = 0.66,
    seed: int = 0,
    hierarchy: Any = None,
) -> Connectome:
    """Return a connectome in which the frequency of axons falls with their length d as exp(-d / length_mm).

    Axons are drawn one at a time, from all pairs of areas with these probabilities, until the share `density` of the
    pathways exists. A weight is the source's share of the axons into an area. `lengths_mm` are the distances.

    Args:
        places: a number of areas, placed at random in a ball as large as the macaque's cortex; or the areas' positions,
            (n, 1 to 3), mm; or a connectome, for its areas, hierarchy and lengths.
        length_mm: length constant; 5.3 mm is the macaque's (0.188 per mm).
        density: share of the n (n - 1) possible pathways; 0.66 is the macaque's.
        seed: for random places and for the axons.
        hierarchy: (n,) position of each area, 0 to 1. None: that of `places` if it is a connectome, else
            evenly spaced in the order of the areas, independent of their positions.

    Raises:
        UserError: arguments out of range; pathways too long to be drawn by the rule.

    Source: the exponential distance rule of Ercsey-Ravasz et al. (2013), Neuron 80(1):184-197. There a length is drawn
    first, then a pair of areas at this distance; here a pair is drawn directly, so that distances shared by many
    pairs get more axons.
    """
    length_mm = numbers.number(length_mm, "length_mm", "mm")
    if length_mm <= 0:
        raise UserError(f"length_mm = {length_mm:g}; expected a length above 0, such as 5.3")
    density, seed = numbers.number(density, "density"), numbers.whole_number(seed, "seed")
    rng = np.random.default_rng(seed)
    areas, levels, wiring = _placed(places, rng)
    n = len(areas)
    count = parts.pathways(n, density)
    axons = np.zeros((n, n))
    pairs = ~np.eye(n, dtype=bool)
    with np.errstate(over="ignore"):  # far too long, as _axons reports
        lengths = wiring[pairs] / length_mm
    axons[pairs] = _axons(lengths, count, rng)
    name = f"distance rule, {n} areas, {length_mm:g} mm, density {density:g}, seed {seed}"
    if isinstance(places, Connectome):
        name = f"{places.name}, {name}"
    values = {"hierarchy": parts.levels(n, hierarchy, levels)}
    return Connectome(name, areas, parts.fractions(axons), wiring, values)


def _axons(lengths: np.ndarray, pathways: int, rng: np.random.Generator) -> np.ndarray:
    """Return the number of axons of each pair once `pathways` pairs have at least one.

    Drawing axons one after another is equivalent to letting each pair grow its own at random times, at a rate of
    exp(-length), until enough pairs have one.

    Args:
        lengths: distance of each pair, in units of the length constant.
    """
    rate = np.exp(-lengths)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = rng.exponential(size=rate.size) / rate
        time = np.sort(first)[pathways - 1]
        later = rate * np.maximum(0.0, time - first)
    if not later.sum() < _MOST_AXONS:
        raise UserError(
            f"distances of up to {lengths.max():.0f} times length_mm; expected a larger length_mm, a lower density or "
            "closer places: the rule never draws pathways of this length"
        )
    return np.where(first <= time, 1.0 + rng.poisson(later), 0.0)


def _placed(places: Any, rng: np.random.Generator) -> tuple[tuple[str, ...], np.ndarray | None, np.ndarray]:
    """Return the areas' names, their hierarchy or None, and their distances."""
    if isinstance(places, Connectome):
        if places.lengths_mm is None:
            raise UserError(
                f"{places.name} has no lengths_mm; expected a connectome with lengths of its pathways, or positions"
            )
        return places.areas, places.values.get("hierarchy"), places.lengths_mm
    if not hasattr(places, "__len__"):
        places = _in_a_ball(parts.number_of_areas(places), rng)
    positions = numbers.array(places, "positions")
    if positions.ndim != 2 or len(positions) < 2 or positions.shape[1] not in (1, 2, 3):
        raise UserError(f"positions of shape {positions.shape}; expected (areas, 1 to 3), in mm, of at least two areas")
    apart = np.linalg.norm(positions[:, None] - positions[None, :], axis=2)
    return parts.names(len(positions)), None, apart


def _in_a_ball(areas: int, rng: np.random.Generator) -> np.ndarray:
    direction = rng.normal(size=(areas, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return _RADIUS_MM * direction * np.cbrt(rng.uniform(size=(areas, 1)))
