"""Shuffled connectomes: null models that keep each area's pathways or their number."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from gbaexplore.basics.errors import UserError, shown
from gbaexplore.basics.numbers import whole_number
from gbaexplore.networks.connectome import Connectome, check_is_connectome

_SWAPS = 10  # attempts per pathway; enough to forget the original connections


def shuffled(connectome: Connectome, keep: Literal["degree", "weights"], seed: int = 0) -> Connectome:
    """Return the connectome with its pathways or their weights shuffled.

    keep="degree": connections are random, but each area keeps its numbers of incoming and outgoing pathways. Two
    pathways a -> b and c -> d become a -> d and c -> b, many times, where neither exists yet and neither connects an
    area to itself. Weights stay with their target: each area receives the same ones from other sources.

    keep="weights": all pathways stay. The weights into each area are permuted among its sources.

    Both keep the weights of every row, and so its sum. Values of areas and lengths stay; `pathway_values`, properties
    of the original pathways, are dropped.

    Args:
        connectome: to be shuffled.
        keep: "degree" or "weights".
        seed: of the shuffle. keep="degree" takes half a minute per million pathways.

    Raises:
        UserError: another `keep`; no two pathways can be swapped, as when all areas are connected.

    Source: Maslov & Sneppen (2002), Science 296:910-913, for the swaps.
    """
    check_is_connectome(connectome)
    shuffles = {"degree": _rewired, "weights": _dealt}
    if not isinstance(keep, str) or keep not in shuffles:
        raise UserError(f'shuffled(keep={shown(keep)}); expected "degree" or "weights"')
    seed = whole_number(seed, "seed")
    sources = shuffles[keep](connectome, np.random.default_rng(seed))

    def moved(matrix: np.ndarray) -> np.ndarray:
        return np.where(sources >= 0, np.take_along_axis(matrix, np.maximum(sources, 0), axis=1), 0.0)

    further = {name: moved(matrix) for name, matrix in connectome.further_weights.items()}
    name = f"{connectome.name}, shuffled, same {keep}, seed {seed}"
    about = {known: said for known, said in connectome.about.items() if known not in connectome.pathway_values}
    weights = moved(connectome.weights)
    return replace(connectome, name=name, weights=weights, further_weights=further, pathway_values={}, about=about)


# A shuffle: (n, n), the source from which each pathway target <- source gets its weight; -1 without a pathway.


def _rewired(connectome: Connectome, rng: np.random.Generator) -> np.ndarray:
    there = connectome.weights != 0
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
    found = np.full(connectome.weights.shape, -1)
    for row, weights in zip(found, connectome.weights):
        (sources,) = np.nonzero(weights)
        row[sources] = rng.permutation(sources)
    return found
