"""Random networks in which all pathways are equally likely."""

from __future__ import annotations

from typing import Any

import numpy as np

from gbaexplore.basics.numbers import number, whole_number
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.generators import parts


def erdos_renyi(areas: int, density: float = 0.66, seed: int = 0, hierarchy: Any = None) -> Connectome:
    """Return a connectome with random pathways, all equally likely.

    The number of pathways is fixed (the directed model G(n, M)); all pathways into an area have the same weight.

    Args:
        areas: number of areas.
        density: share of the n (n - 1) possible pathways.
        seed: of the random choice.
        hierarchy: (n,) position of each area, 0 to 1; evenly spaced if None.

    Raises:
        UserError: arguments out of range.

    Source: Erdos & Renyi (1959), Publicationes Mathematicae 6:290-297.
    """
    areas = parts.number_of_areas(areas)
    density, seed = number(density, "density"), whole_number(seed, "seed")
    chosen = np.random.default_rng(seed).permutation(areas * (areas - 1))[: parts.pathways(areas, density)]
    there = np.zeros(areas * (areas - 1))
    there[chosen] = 1.0
    axons = np.zeros((areas, areas))
    axons[~np.eye(areas, dtype=bool)] = there
    name = f"Erdos-Renyi, {areas} areas, density {density:g}, seed {seed}"
    values = {"hierarchy": parts.levels(areas, hierarchy)}
    return Connectome(name, parts.names(areas), parts.fractions(axons), values=values)
