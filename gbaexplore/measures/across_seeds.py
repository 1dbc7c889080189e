"""Statistics over seeds: each point is simulated with many seeds, and only statistics of a measure are kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import DIVERGED, squared
from gbaexplore.basics.points import AMPLITUDE, NOISE, reseeded
from gbaexplore.measures.base import StreamingMeasure, Variable
from gbaexplore.measures.quantile import checked_quantiles
from gbaexplore.measures.signals import Signal
from gbaexplore.measures.solved import SolvedMeasure, Trials
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome

_QUEUE = 2048  # fewest simulations at once, so that few points with many seeds fill the lanes too


@dataclass(frozen=True)
class AcrossSeeds(SolvedMeasure):
    """Mean and variance of a measure over seeds, and quantiles on request.

    Every point is simulated with the seeds 0, 1, ... `seeds` - 1, as with an axis `seed`; single runs are not
    stored. From `peak_rate` it makes `peak_rate_mean`, `peak_rate_variance` (with `seeds` - 1 in the denominator)
    and `peak_rate_quantile`; the mean of a `Spectrum` is the averaged spectrum. `diverged_share` is the share of
    seeds with which the point diverged. Where it is above 0 all others are NaN: an average over the remaining seeds
    would be biased towards small responses. `status` is that of seed 0.

    Args:
        measure: a streaming measure of each run. seeds: their number, at least 2. quantiles: each between 0 and 1.

    Raises:
        UserError: not a streaming measure; fewer than 2 seeds; quantiles outside 0 to 1.
    """

    measure: StreamingMeasure
    seeds: int = 32
    quantiles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.measure, StreamingMeasure):
            raise UserError(f"AcrossSeeds({self.measure!r}): expected a measure such as Peak() or Spectrum(...)")
        if not isinstance(self.seeds, (int, np.integer)) or self.seeds < 2:
            raise UserError(f"AcrossSeeds(seeds={self.seeds!r}): expected a whole number of at least 2")
        object.__setattr__(self, "quantiles", checked_quantiles(self.quantiles, "AcrossSeeds(quantiles=...)"))

    @property
    def of(self) -> str | tuple[str, ...] | Signal | None:
        """What is measured; the model's first observable if None."""
        return self.measure.of

    def recipe(self) -> dict[str, Any]:
        own = {"seeds": int(self.seeds), "quantiles": list(self.quantiles), "suffix": self.suffix}
        return {"kind": type(self).__name__, "measure": self.measure.recipe(), **own}

    def variables(self, model: Model) -> dict[str, Variable]:
        found = {}
        missing = "with some seeds the point diverged, or there is no such value"
        for name, variable in self.measure.variables(model).items():
            dims, units, doc = variable.dims, variable.units, variable.long_name
            each = Variable(dims, units, f"mean over seeds: {doc}", missing, comment=variable.comment)
            found[f"{name}_mean"] = each
            found[f"{name}_variance"] = each._replace(units=squared(units), long_name=f"variance over seeds: {doc}")
            if self.quantiles:
                along = (f"seed_quantile{self.suffix}", *dims)
                found[f"{name}_quantile"] = each._replace(dims=along, long_name=f"quantile over seeds: {doc}")
        share = Variable((), "1", "share of seeds that diverged", if_diverged=True)
        return {**found, "diverged_share": share}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        self.measure.sampling(dt, n_steps)
        found = self.measure.coordinates(connectome, dt, n_steps)
        if self.quantiles:
            attrs = {"units": "1", "long_name": "quantile over seeds"}
            found[f"seed_quantile{self.suffix}"] = (np.array(self.quantiles), attrs)
        return found

    def simulates(self, trials: Trials) -> list[Any]:
        return [trials.plan(self.measure)]

    def solve(self, trials: Trials) -> dict[str, np.ndarray]:
        count = len(trials.points[AMPLITUDE])
        at_once = min(self.seeds, max(1, _QUEUE // trials.size))
        moments: dict[str, _Moments] = {}
        kept: dict[str, list[np.ndarray]] = {}
        for first in range(0, self.seeds, at_once):
            seeds = range(first, min(first + at_once, self.seeds))
            for name, values in self._simulated(trials, seeds, count, at_once).items():
                moments.setdefault(name, _Moments()).add(values.astype(np.float64))
                if self.quantiles:
                    kept.setdefault(name, []).append(values)
        found = {"diverged_share": moments.pop("diverged").mean}
        for name, moment in moments.items():
            found |= {f"{name}_mean": moment.mean, f"{name}_variance": moment.squares / (self.seeds - 1)}
            if self.quantiles:
                quantiles = np.quantile(np.concatenate(kept.pop(name)), self.quantiles, axis=0)
                found[f"{name}_quantile"] = np.moveaxis(quantiles, 0, 1)
        return found

    def _simulated(self, trials: Trials, seeds: range, count: int, at_once: int) -> dict[str, np.ndarray]:
        """Return the measured values with some of the seeds, and whether points diverged: (seed, point, ...)."""
        points = {name: np.concatenate([values] * len(seeds)) for name, values in trials.points.items()}
        points[NOISE] = np.concatenate([reseeded(trials.points[NOISE], seed) for seed in seeds])
        results = dataclasses.replace(trials, points=points, size=trials.size * at_once).simulate(self.measure)
        values = {**results.values[0], "diverged": results.status == DIVERGED}
        return {name: v.reshape(len(seeds), count, *v.shape[1:]) for name, v in values.items()}


class _Moments:
    """Running mean and sum of squares about it, updated in batches (Chan, Golub & LeVeque 1983)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, np.zeros(()), np.zeros(())

    def add(self, values: np.ndarray) -> None:
        """Add values, (seed, ...)."""
        mean, more = values.mean(axis=0), len(values)
        off, total = mean - self.mean, self.count + more
        self.squares = self.squares + ((values - mean) ** 2).sum(axis=0) + off**2 * (self.count * more / total)
        self.mean, self.count = self.mean + off * (more / total), total
