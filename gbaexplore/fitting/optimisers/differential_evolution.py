"""Differential evolution (Storn & Price, 1997, J. Global Optimization 11:341-359), by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number, whole_number
from gbaexplore.fitting.optimisers.base import Optimiser, Search, Told, by_calls

_FOR_EVER = 10**9  # generations; the budget ends a fit


@dataclass(frozen=True, kw_only=True)
class DifferentialEvolution(Optimiser):
    """Differential evolution: global, with few assumptions, and slower than CMA-ES close to the optimum.

    It needs no other package. A generation is one batch.

    Args:
        restarts: number of searches side by side, each with random numbers of its own.
        population: points in a generation, at least 5; 10 for each parameter if None.
        tolerance: a search ends once its points spread by less than this share of each range.

    Raises:
        UserError: a population below 5; a tolerance that is not above 0.
    """

    population: int | None = None
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population is not None:
            whole_number(self.population, "DifferentialEvolution(population)", 5)
        if number(self.tolerance, "DifferentialEvolution(tolerance)") <= 0:
            raise UserError(
                f"DifferentialEvolution(tolerance={self.tolerance!r}): expected a share of each range, above 0"
            )

    def search(self, parameters: int, start: np.ndarray, rng: np.random.Generator) -> Search:
        from scipy.optimize import differential_evolution
        from scipy.stats import qmc

        size = self.population or 10 * parameters
        first = qmc.LatinHypercube(parameters, rng=rng).random(max(5, size))
        first[0] = start

        def converged(intermediate_result: Any) -> bool:
            return bool(np.std(intermediate_result.population, axis=0).max() < self.tolerance)

        def run(told: Callable[[np.ndarray], Told]) -> None:
            differential_evolution(
                lambda units: told(np.atleast_2d(units.T)).loss, [(0.0, 1.0)] * parameters, init=first, rng=rng,
                vectorized=True, updating="deferred", polish=False, maxiter=_FOR_EVER, tol=0.0,
                callback=converged,
            )  # fmt: skip

        return by_calls(run)
