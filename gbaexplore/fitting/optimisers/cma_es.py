"""CMA-ES (Hansen, 2016, arXiv:1604.00772), by the package `cma`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number, whole_number
from gbaexplore.fitting.optimisers.base import Optimiser, Search, finite


@dataclass(frozen=True, kw_only=True)
class CMAES(Optimiser):
    """CMA-ES, the covariance matrix adaptation evolution strategy: for noisy, rugged or ill-conditioned losses.

    Args:
        restarts: number of searches side by side, each from a place of its own.
        population: points in a generation; 4 + 3 ln(parameters) if None, which is few: more is more robust.
        spread: standard deviation of the first generation, as a share of each range.
        tolerance: a search ends once its spread is below this share of each range.

    Raises:
        UserError: fewer than 2 points; a spread or tolerance that is not above 0; the package `cma` is missing.
    """

    population: int | None = None
    spread: float = 0.3
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population is not None:
            whole_number(self.population, "CMAES(population)", 2)
        for name in ("spread", "tolerance"):
            if number(getattr(self, name), f"CMAES({name})") <= 0:
                raise UserError(f"CMAES({name}={getattr(self, name)!r}): expected a share of each range, above 0")

    def check(self) -> None:
        try:
            import cma  # noqa: F401
        except ImportError:
            raise UserError(
                'CMAES needs the package cma; expected pip install "gbaexplore[fit]", or '
                "optimiser=gba.DifferentialEvolution()"
            ) from None

    def search(self, parameters: int, start: np.ndarray, rng: np.random.Generator) -> Search:
        import cma

        size = max(2, parameters)  # the package refuses one dimension: a second one then has no effect
        options: dict[str, Any] = {
            "bounds": [0.0, 1.0],
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # or it would seed NumPy's numbers, which are everybody's
            "tolx": 0.0,
            "tolfun": 0.0,
            "tolfunhist": 0.0,
            "tolflatfitness": 100,
            "verbose": -9,
        }
        if self.population is not None:
            options["popsize"] = self.population
        first = np.resize(start, size)
        strategy = cma.CMAEvolutionStrategy(first, self.spread, options)
        worst = -np.inf
        while not strategy.stop() and strategy.stds[:parameters].max() >= self.tolerance:
            points = np.array(strategy.ask())
            losses = (yield points[:, :parameters]).loss
            heard = finite(losses, worst)
            strategy.tell(list(points), heard.tolist())
            worst = max(worst, *losses[np.isfinite(losses)].tolist(), -np.inf)
