"""Evaluations: a study's points at proposed values of the free parameters, many at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, one_line
from gbaexplore.fitting.losses import EVALUATION, Losses
from gbaexplore.running.pool import Job, Pool
from gbaexplore.study.recipe import recipe
from gbaexplore.study.simulation import Simulation
from gbaexplore.study.study import Study
from gbaexplore.study.template import template

if TYPE_CHECKING:
    import xarray as xr


class Evaluations:
    """The simulation of evaluations: rows of a table beside the study's own axes.

    Args:
        study: of a table of the free parameters' ranges, along `evaluation`, and its own axes.
        at_once: evaluations that are proposed together.
        threads: that simulate them.
    """

    def __init__(self, study: Study, losses: Losses, at_once: int, threads: int) -> None:
        self.losses, self.names = losses, list(study.tables[EVALUATION].columns)
        self._variants = list(study.variants())
        self.others = math.prod(study.shape[1:])
        lanes = max(study.plan(variant).batch.lanes for variant in self._variants)
        share = -(-at_once * self.others // (len(self._variants) * threads))
        self.study = study.pinned().in_queues(-(-share // lanes) * lanes)
        self.most = max(1, self.study.queue_points * len(self._variants) * threads // self.others)

    def table(self, rows: np.ndarray) -> Simulation:
        """Return the simulation of a study with these rows, (evaluation, parameter), as its table."""
        import pandas as pd

        frame = pd.DataFrame(rows, columns=self.names)
        study = dataclasses.replace(self.study, axes={**self.study.axes, EVALUATION: frame})
        return dataclasses.replace(study.simulation, programs=self.study.simulation.programs)

    def refusals(self, rows: np.ndarray) -> list[str]:
        """Return why the model refuses each of some different rows, as a function gives it a negative value; or ""."""
        if not len(rows):
            return []
        try:
            self.table(rows)
        except UserError as error:
            if len(rows) == 1:
                return [str(error)]
            half = len(rows) // 2
            return self.refusals(rows[:half]) + self.refusals(rows[half:])
        return [""] * len(rows)

    def recipe(self, rows: np.ndarray) -> dict[str, Any]:
        """Return the recipe of the study with these rows as its table."""
        return recipe(self.table(rows))

    def inputs(self) -> dict[str, xr.Dataset]:
        """Return the connectomes and stimuli as Datasets; see `Study.inputs`."""
        return self.study.inputs()

    def template(self, rows: np.ndarray, recipe: Mapping[str, Any]) -> xr.Dataset:
        """Return the empty Dataset of these rows."""
        return template(self.table(rows), dict(recipe))

    def jobs(self, rows: np.ndarray) -> Iterator[tuple[Job, tuple[Any, ...]]]:
        """Yield the parts in which these rows are simulated, and their places in the grid."""
        grid = self.table(rows).values.grid
        labelled = list(grid.categorical)
        along = [axis for axis in grid.names if axis not in labelled]
        lengths = [len(grid.labels(axis)) for axis in along]
        index = dict(zip(along, (part.ravel() for part in np.indices(lengths))))
        size = self.study.queue_points
        for number, variant in enumerate(self._variants):
            label = {axis: list(grid.categorical[axis]).index(variant.labels[axis]) for axis in labelled}
            for first in range(0, math.prod(lengths), size):
                part = {axis: where[first : first + size] for axis, where in index.items()}
                at = {name: values[part[axis]] for name, (axis, values) in grid.listed.items()}
                job = Job(self.study, number, at)
                yield job, tuple(label[axis] if axis in label else part[axis] for axis in grid.names)

    def assembled(self, rows: np.ndarray, found: Sequence[tuple[Mapping[str, np.ndarray], Any]]) -> xr.Dataset:
        """Return the Dataset of these rows, with the loss and its parts, from what was simulated and its places.

        Raises:
            UserError: the loss is none.
        """
        like = template(self.table(rows), {})
        values = {name: np.empty(variable.shape, variable.dtype) for name, variable in like.data_vars.items()}
        for arrays, place in found:
            for name, array in arrays.items():
                values[name][place] = array
        ds = like.assign({name: (like[name].dims, array, like[name].attrs) for name, array in values.items()})
        losses = self.losses.values(ds)
        return ds.assign({name: (like.status.dims, array) for name, array in losses.items()})


def simulated(pool: Pool, asked: Sequence[tuple[Evaluations, np.ndarray]]) -> list[xr.Dataset]:
    """Return the Dataset of each of some tables of rows, all of which are simulated side by side.

    Raises:
        UserError: a point can't be simulated; a loss is none.
    """
    parts = [list(evaluations.jobs(rows)) for evaluations, rows in asked]
    try:
        found = iter(pool.simulated([job for part in parts for job, _ in part]))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"evaluations failed: {one_line(error)}; fix the model, the measure or the range") from error
    done = [[(arrays, place) for (_, place), arrays in zip(part, found)] for part in parts]
    return [evaluations.assembled(rows, one) for (evaluations, rows), one in zip(asked, done)]


def with_table(study: Study, rows: np.ndarray, names: Sequence[str], **parts: Any) -> Study:
    """Return a study with a table of rows along `evaluation` before its own axes."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(names))
    return dataclasses.replace(study, axes={EVALUATION: frame, **parts.pop("axes", study.axes)}, **parts)
