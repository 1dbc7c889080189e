"""Fits: a study, free parameters with ranges, a loss and an optimiser."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, listing, shown, unknown
from gbaexplore.basics.numbers import whole_number
from gbaexplore.basics.places import names_store, place, writing
from gbaexplore.basics.points import SEED
from gbaexplore.fitting.evaluations import Evaluations, simulated, with_table
from gbaexplore.fitting.fitted import Fitted, FittedEach, beside, best_of
from gbaexplore.fitting.losses import EVALUATION, GENERATION, LOSS, RESTART, Losses, SumOfSquares, of_evaluations
from gbaexplore.fitting.optimisers.base import Optimiser
from gbaexplore.fitting.optimisers.cma_es import CMAES
from gbaexplore.fitting.ranges import Range, expanded, values_at
from gbaexplore.fitting.records import Part, Records
from gbaexplore.fitting.searches import Searches
from gbaexplore.running.interrupts import Interrupted
from gbaexplore.running.pool import Pool, pool_of
from gbaexplore.running.progress import Progress
from gbaexplore.store import making, stores
from gbaexplore.study.study import Study

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Fit:
    """A search for the free parameters at which a loss is least; checked when it is made.

    Each evaluation is the whole study at one set of the free parameters: all points of its axes. All evaluations have
    the same seeds, so differences between them are not noise.

    Args:
        study: what is simulated. Its axes (labels such as conditions, `seed`) are in each evaluation; an axis that is
            free is none.
        free: parameter -> (low, high), `gba.log(low, high)` or `gba.ByGroup(...)`.
        loss: a function of the Dataset of some evaluations, with dimensions `evaluation` and the study's axes, that
            returns a number for each evaluation: along `evaluation` and any of the axes, over which it is averaged.
            Or several by name, whose weighted sum is the loss.
        weights: of the loss's parts by name; 1 if not given.
        budget: largest number of evaluations.
        seeds: number of seeds of each evaluation, 0, 1, ...; None if the study has seeds of its own, or no noise.
        optimiser: `CMAES`, `DifferentialEvolution`, `LeastSquares`, or one of your own.
        derived: as `Study(derived=...)`; its functions may take free values that are no parameters of the model.
        held_out: losses by name, of data that the fit has not seen, for the best evaluation alone.
        seed: of the optimiser's random numbers.
        each: an axis of labels of the study, such as subjects, each of which has an optimum of its own: a search and a
            store for each label, all of them evaluated side by side. The budget is that of each.
        name: names the store; "fit_" and the study's name if None.

    Raises:
        UserError: with what was found, what was expected and what to do.
    """

    study: Study
    free: Mapping[str, Any]
    loss: Any
    weights: Mapping[str, float] = field(default_factory=dict)
    budget: int = 1000
    seeds: int | None = None
    optimiser: Optimiser = field(default_factory=CMAES)
    derived: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    held_out: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    each: str | None = None
    name: str | None = None

    ranges: dict[str, Range] = field(init=False, repr=False)
    losses: Losses = field(init=False, repr=False)
    others: dict[str, Losses] = field(init=False, repr=False)
    tabled: Study = field(init=False, repr=False)
    """The study with a table of the ranges' ends, or of their middle, along `evaluation`, before its own axes."""

    def __post_init__(self) -> None:
        if not isinstance(self.study, Study):
            raise UserError(f"study = {shown(self.study)}; expected a Study")
        if not isinstance(self.optimiser, Optimiser):
            raise UserError(f"optimiser = {shown(self.optimiser)}; expected one such as gba.CMAES(population=32)")
        self.optimiser.check()
        whole_number(self.budget, "budget", 1)
        whole_number(self.seed, "seed")
        if EVALUATION in self.study.axes:
            raise UserError(f'the study has an axis "{EVALUATION}", which is the fit\'s; rename it')
        ranges, by_group = expanded(self.free)
        losses, others = Losses.of(self.loss, self.weights), {}
        if not isinstance(self.held_out, Mapping):
            raise UserError(f"held_out = {shown(self.held_out)}; expected losses by name")
        for name, loss in self.held_out.items():
            others[str(name)] = Losses.of(loss, self.weights if isinstance(loss, Mapping) else {})
        if self.optimiser.needs_residuals and not all(isinstance(p, SumOfSquares) for p in losses.parts.values()):
            raise UserError(
                f"{type(self.optimiser).__name__} needs residuals; expected a loss of gba.SumOfSquares(...)"
            )
        axes = dict(self.study.axes)
        if self.seeds is not None:
            if SEED in axes:
                raise UserError("seeds is given, and the study has an axis of seeds; expected one of the two")
            axes[SEED] = range(whole_number(self.seeds, "seeds", 1))
        derived = {**self.study.derived, **by_group, **self.derived}
        name = self.name if self.name is not None else f"fit_{self.study.name}"
        units = np.array([[0.0] * len(ranges), [1.0] * len(ranges)])
        parts: dict[str, Any] = {"axes": axes, "derived": derived, "name": name}
        try:
            tabled = with_table(self.study, values_at(ranges, units), list(ranges), **parts)
        except UserError:
            # A function may give what the model refuses at the ends of all ranges at once; not in their middle.
            if not derived:
                raise
            tabled = with_table(self.study, values_at(ranges, units.mean(axis=0)[None]), list(ranges), **parts)
        vars(self).update(ranges=ranges, losses=losses, others=others, tabled=tabled, name=name)
        self._check_names()
        if self.each is not None:
            labels = list(self.study.categorical.get(self.each, ()))
            if not labels:
                raise UserError(
                    unknown(
                        f'each: no axis of labels "{self.each}"', self.each, self.study.categorical, "Axes of labels"
                    )
                )
            self._files(labels)

    def _check_names(self) -> None:
        made = {GENERATION, RESTART, *self.losses.names}
        taken = {*self.ranges, *self.tabled.variables, *self.tabled.axes, *self.tabled.coordinates()}
        if made & taken:
            raise UserError(f'"{min(made & taken)}" is a name that the fit gives; rename what the study has of it')

    @property
    def source(self) -> tuple[str, str] | None:
        """Path and SHA-256 of the study's file; None without a file."""
        return self.study.source

    def recipe(self) -> dict[str, Any]:
        """Return what determines the evaluations beside the study, as JSON data; the budget does not.

        Raises:
            UserError: a loss that can't be identified.
        """
        return {
            "free": {name: one.recipe() for name, one in self.ranges.items()},
            "loss": self.losses.recipe(),
            "optimiser": self.optimiser.recipe(),
            "seed": self.seed,
        }

    def study_of(self, store: str | Path) -> Study:
        """Return the study whose table is the evaluations of a store of this fit, for `replay` and `Explorer`.

        Raises:
            UserError: it is not a fit's store, or has other free parameters, or another label.
        """
        path = place(store)
        recipe = stores.recipe(path)
        free = recipe.get("fit", {}).get("free", {})
        if list(free) != list(self.ranges):
            raise UserError(
                f"{path} has {listing(free)} as free parameters; expected a store of the fit of {listing(self.ranges)}"
            )
        if self.each is not None:
            labels = recipe["order"].get(self.each, [])
            if len(labels) != 1 or labels[0] not in self.study.axes[self.each]:
                raise UserError(f"{path} is of {listing(labels)}; expected a store of one of this fit's {self.each}")
            return self.of(labels[0]).study_of(path)
        ds = stores.open_study(path)
        rows = np.stack([ds[name].values for name in self.ranges], axis=1)
        axes = {name: values for name, values in self.tabled.axes.items() if name != EVALUATION}
        return with_table(self.tabled, rows, list(self.ranges), axes=axes)

    def of(self, label: str) -> Fit:
        """Return the fit of one label of the axis `each`.

        Raises:
            UserError: no such label; the fit has no such axis.
        """
        axis = self.each
        if axis is None:
            raise UserError(f'the fit "{self.name}" has one optimum, as each is not given; expected each="AXIS"')
        labels = list(self.study.categorical[axis])
        if label not in labels:
            raise UserError(unknown(f'no label "{label}" of {axis}', label, labels, "Labels"))
        axes = {**self.study.axes, axis: {label: self.study.axes[axis][label]}}
        study = dataclasses.replace(self.study, axes=axes)
        object.__setattr__(study, "source", self.study.source)
        parts = {name: _at_label(loss, axis, label) for name, loss in self.losses.parts.items()}
        held_out = {name: _at_label(loss, axis, label) for name, loss in self.held_out.items()}
        loss = parts if isinstance(self.loss, Mapping) else parts[""]
        name = self._files(labels)[label]
        return dataclasses.replace(self, study=study, loss=loss, held_out=held_out, each=None, name=name)

    def _files(self, labels: Sequence[str]) -> dict[str, str]:
        """Return the name of each label's store."""
        names = {label: f"{self.name}_{re.sub(r'[^0-9A-Za-z_.-]+', '_', label)}" for label in labels}
        same = [label for label in labels if list(names.values()).count(names[label]) > 1]
        if same:
            raise UserError(f"{listing(same)} of {self.each} name the same file, {names[same[0]]}; rename one")
        return names

    def run(
        self,
        store: str | Path = "store",
        budget: int | None = None,
        workers: int | None = None,
        scheduler: str | None = None,
        progress: Callable[[int], Progress] | None = None,
    ) -> Fitted | FittedEach:
        """Evaluate what is missing of the fit and return its result.

        A fit that was killed goes on to the same answer; one with a larger budget goes on from where it was; a
        finished one does nothing.

        Args:
            store: the folder for `<name>.zarr`, or the store itself if it ends in .zarr.
            budget: largest number of evaluations, instead of the fit's own.
            workers: None for threads in this process (one per core), else that many processes; a script that asks for
                processes needs the usual `if __name__ == "__main__":` around it.
            scheduler: address of a running dask scheduler, "tcp://host:port".
            progress: called with the number of points to simulate.

        Raises:
            UserError: the store is another fit's or can't be written to; a loss that is no number; no scheduler at
                the address.
        """
        most = self.budget if budget is None else whole_number(budget, "budget", 1)
        folder = place(store)
        if self.each is None:
            path = folder if names_store(folder) else folder / f"{self.name}.zarr"
            return _run([self], [path], most, workers, scheduler, progress)[0]
        if names_store(folder):
            raise UserError(
                f"{folder} is one store; expected a folder, for a store of each {self.each}: choose another --store"
            )
        fits = {label: self.of(label) for label in self.study.categorical[self.each]}
        paths = [folder / f"{fit.name}.zarr" for fit in fits.values()]
        found = _run(list(fits.values()), paths, most, workers, scheduler, progress)
        return FittedEach(self.each, dict(zip(fits, found)))

    def _fitted(self, records: Records, searches: Searches, pool: Pool) -> Fitted:
        """Return the result: look beside the best evaluation, and at it with what the fit has not seen."""
        import xarray as xr

        evaluations = records.evaluations
        refused = list(searches.refused.values())
        best = records.rows[best_of(records, refused)]
        rows, moved = beside(best, self.ranges)
        allowed = [not why for why in evaluations.refusals(rows)]
        rows, moved = rows[allowed], [name for name, keep in zip(moved, allowed) if keep]
        profiles = self._looked_at(records, "profiles", evaluations, rows, pool)
        values: dict[str, Any] = {name: (EVALUATION, column) for name, column in zip(self.ranges, rows.T)}
        losses = (EVALUATION, of_evaluations(profiles[LOSS].values))
        held_out = {}
        found = records.dataset().isel({EVALUATION: [best_of(records, refused)]}).load()
        for name, loss in self.others.items():
            held_out[name] = float(of_evaluations(loss.values(found)[LOSS])[0])
        other_seeds = _with_other_seeds(self.tabled)
        if other_seeds is not None:
            other = Evaluations(other_seeds, self.losses, 1, pool.threads)
            again = self._looked_at(records, "held_out", other, best[None], pool)
            held_out["with other seeds"] = float(of_evaluations(again[LOSS].values)[0])
            for name, loss in self.others.items():
                held_out[f"{name}, with other seeds"] = float(of_evaluations(loss.values(again)[LOSS])[0])
        return Fitted(
            path=records.path, best=dict(zip(self.ranges, best.tolist())), loss=float(np.nanmin(records.losses)),
            held_out=held_out, profiles=xr.Dataset({LOSS: losses}, {**values, "parameter": (EVALUATION, moved)}),
            converged=searches.converged, refused=refused, ranges=self.ranges, added=records.added,
            seconds=records.seconds, proof=records.proof,
        )  # fmt: skip

    def _looked_at(self, fit: Records, what: str, evaluations: Evaluations, rows: np.ndarray, pool: Pool) -> xr.Dataset:
        """Return evaluations that are no part of the search; they have a store of their own, beside the fit's."""
        path = fit.path.with_name(f"{fit.path.stem}_{what}.zarr")
        records = Records(path, evaluations, fit.fit, self.source, pool)
        known = {tuple(row) for row in records.rows.tolist()}
        new = np.array([row for row in rows.tolist() if tuple(row) not in known])
        if len(new):
            none = np.zeros(len(new), int)
            _add(pool, [(records, Part(new, generation=none, restart=none))])
        place = {tuple(row): i for i, row in enumerate(records.rows.tolist())}
        return records.dataset().isel({EVALUATION: [place[tuple(row)] for row in rows.tolist()]}).load()


def _run(
    fits: Sequence[Fit],
    paths: Sequence[Path],
    most: int,
    workers: int | None,
    scheduler: str | None,
    progress: Callable[[int], Progress] | None,
) -> list[Fitted]:
    """Return the results of fits whose evaluations are simulated side by side."""
    searches = [Searches(fit.optimiser, fit.ranges, fit.seed) for fit in fits]
    at_once = sum(one.size for one in searches)
    with ExitStack() as stack:
        pool = stack.enter_context(pool_of(workers, scheduler))
        all_records = []
        for fit, path in zip(fits, paths):
            stack.enter_context(making.locked(path))
            stack.enter_context(writing(path, "what was written is kept: fix that and run again"))
            evaluations = Evaluations(fit.tabled, fit.losses, at_once, pool.threads)
            needed = fit.optimiser.needs_residuals
            all_records.append(Records(path, evaluations, fit.recipe(), fit.source, pool, needed))
        left = sum(max(0, most - len(records)) * records.evaluations.others for records in all_records)
        bar = progress(left) if progress and left else None
        try:
            _search(searches, all_records, most, pool, bar)
        except KeyboardInterrupt:
            for records in all_records:
                records.write()
            kept = f"{sum(map(len, all_records)):,} evaluations are kept: the same command goes on from there"
            raise Interrupted(f"interrupted; {kept}") from None
        finally:
            for records in all_records:
                records.write()
            if bar:
                bar.close()
        return [fit._fitted(records, one, pool) for fit, records, one in zip(fits, all_records, searches)]


def _search(
    searches: Sequence[Searches], all_records: Sequence[Records], most: int, pool: Pool, bar: Progress | None
) -> None:
    """Evaluate what all searches ask for, together, until none asks."""
    asking = [(records, one.wanted(records, most)) for records, one in zip(all_records, searches)]
    while asking:
        parts = [(records, wanted, next(wanted, None)) for records, wanted in asking]
        asking = [(records, wanted) for records, wanted, part in parts if part is not None]
        asked = [(records, part) for records, _, part in parts if part is not None]
        _add(pool, asked)
        if bar:
            bar.add(sum(len(part.rows) * records.evaluations.others for records, part in asked))


def _add(pool: Pool, asked: Sequence[tuple[Records, Part]]) -> None:
    """Simulate evaluations of some records side by side, and keep them."""
    started = time.monotonic()
    found = simulated(pool, [(records.evaluations, part.rows) for records, part in asked])
    points = [len(part.rows) * records.evaluations.others for records, part in asked]
    for (records, part), new, share in zip(asked, found, points):
        records.add(part, new, (time.monotonic() - started) * share / sum(points))


def _at_label(loss: Any, axis: str, label: str) -> Any:
    """Return a loss, or several by name, of one label of an axis: data along it are those of the label."""
    if isinstance(loss, Mapping):
        return {name: _at_label(part, axis, label) for name, part in loss.items()}
    return loss.at(axis, label) if isinstance(loss, SumOfSquares) else loss


def _with_other_seeds(study: Study) -> Study | None:
    """Return a study with as many other seeds; None if it has no axis of seeds."""
    if SEED not in study.numeric:
        return None
    seeds = study.numeric[SEED]
    return dataclasses.replace(study, axes={**study.axes, SEED: seeds + (seeds.max() - seeds.min() + 1)})
