"""The store of a fit: a table of evaluations that grows, each written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import MISSING, STATUS
from gbaexplore.basics.places import check_writable, remote
from gbaexplore.fitting.evaluations import Evaluations, simulated
from gbaexplore.fitting.losses import EVALUATION, GENERATION, LOSS, RESTART, of_evaluations
from gbaexplore.running.pool import Pool
from gbaexplore.running.proof import POINTS, Proof, compare, other_software, spread
from gbaexplore.store import making, provenance, stores
from gbaexplore.store.history import Log, copy_history
from gbaexplore.store.recipe import RECIPE, differences, explained, same_but_code

if TYPE_CHECKING:
    import xarray as xr

_LABELS = {GENERATION: "batch in which it was proposed", RESTART: "search that proposed it"}
_NO_LOSS = "a point of the evaluation diverged"
_CHUNK_BYTES = 16 * 2**20
_CHUNK = 256  # evaluations; what is not full is written anew each time
_WRITTEN_S = 1.0  # how long evaluations may wait to be written together


class Part(NamedTuple):
    """Evaluations that are simulated together."""

    rows: np.ndarray  # (evaluation, parameter) values
    generation: np.ndarray  # (evaluation,)
    restart: np.ndarray  # (evaluation,)


class Records:
    """The evaluations of a fit that a store holds, and the way to more.

    Args:
        fit: the fit's identity, as JSON data.
        source: path and hash of the study's file, for the history.
        pool: where a store of other software is proved.
        residuals: whether residuals are kept too, and their derivatives.

    Raises:
        UserError: the store at `path` is another fit's, or damaged; none can be made there.
    """

    def __init__(
        self,
        path: Path,
        evaluations: Evaluations,
        fit: Mapping[str, Any],
        source: tuple[str, str] | None,
        pool: Pool,
        residuals: bool = False,
    ) -> None:
        self.path, self.evaluations, self.fit, self._source = path, evaluations, dict(fit), source
        self._run = uuid.uuid4().hex[:8]
        self.seconds = 0.0  # of simulation, and how many of them the history knows
        self._told_seconds = 0.0
        self.added = 0
        if remote(path):
            raise UserError(f"{path} is in an object store, where a fit's store can't grow; expected a folder")
        parameters = len(evaluations.names)
        self.rows, self.losses = np.empty((0, parameters)), np.empty(0)
        self.residuals: np.ndarray | None = None  # (evaluation, residual)
        self.jacobian: np.ndarray | None = None  # (evaluation, residual, parameter), if sensitivities are measured
        self._wanted = residuals
        self._labels = {GENERATION: np.empty(0, int), RESTART: np.empty(0, int)}
        self._waiting: list[xr.Dataset] = []
        self._written = time.monotonic()
        self.proof: Proof | None = None  # that the fit still gives the numbers that other software made
        if making.made(path):
            self._read(pool)
        else:
            check_writable(path)

    def _read(self, pool: Pool) -> None:
        there = stores.recipe(self.path)
        if "fit" not in there:
            raise UserError(
                f"{self.path} holds a study's results; expected a fit's: choose another --store, or another name"
            )
        ds, found = stores.open_study(self.path), list(differences(there["fit"], self.fit, "fit"))
        if not list(differences(_but_code(there["fit"]), _but_code(self.fit))):
            self.rows = np.stack([ds[name].values for name in self.evaluations.names], axis=1)
            wanted = self.evaluations.recipe(self.rows)
            there = stores.recipe_for(self.path, wanted)
            found += explained(there, wanted)
            if found and same_but_code(there, wanted) and other_software(self.path):
                found = []
                self._prove(ds, wanted, pool)
        if found:
            shown = "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
            raise UserError(
                f"{self.path} holds another fit's evaluations ({shown}); expected the same fit: change the fit's name, "
                "choose another --store, or remove the old one"
            )
        self.losses = of_evaluations(ds[LOSS].values)
        self._labels = {name: ds[name].values for name in self._labels}
        self._keep(ds)

    def _prove(self, ds: xr.Dataset, recipe: Mapping[str, Any], pool: Pool) -> None:
        """Compute some evaluations of other software again, and their losses, and adopt the fit's recipe.

        Raises:
            UserError: an evaluation has other numbers.
        """
        which = spread(len(ds[EVALUATION]), -(-POINTS // self.evaluations.others))
        theirs = ds.isel({EVALUATION: which}).load()
        (ours,) = simulated(pool, [(self.evaluations, self.rows[which])])
        # Of what is stored: near an optimum a loss is a small difference of large numbers.
        ours = ours.assign({n: (ours[STATUS].dims, v) for n, v in self.evaluations.losses.values(theirs).items()})
        grid = ours[STATUS].ndim
        there, here = (
            {str(name): _points(one[name].values, grid) for name in ours.data_vars} for one in (theirs, ours)
        )

        def point(position: int) -> str:
            at = which[position // self.evaluations.others]
            values = dict(zip(self.evaluations.names, self.rows[at].tolist()))
            return f"evaluation {at} ({', '.join(f'{name} = {value:g}' for name, value in values.items())})"

        largest = compare(self.evaluations.study, self.path, there, here, point)
        self.proof = Proof(len(which) * self.evaluations.others, largest)
        stores.adopt(self.path, {**recipe, "fit": self.fit}, provenance.software())
        told = {"points": self.proof.points, "largest": largest, "software": provenance.software()}
        Log(self.path).add("proved", **told)

    def _keep(self, ds: xr.Dataset) -> None:
        """Keep the residuals of evaluations."""
        if not self._wanted:
            return
        ds, losses = ds.load(), self.evaluations.losses
        residuals, jacobian = losses.residuals(ds), losses.jacobian(ds, self.evaluations.names)
        self.residuals = residuals if self.residuals is None else np.concatenate([self.residuals, residuals])
        if jacobian is not None:
            self.jacobian = jacobian if self.jacobian is None else np.concatenate([self.jacobian, jacobian])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def _stored(self) -> int:
        """Number of evaluations that the store holds."""
        return len(self) - sum(part.sizes[EVALUATION] for part in self._waiting)

    def dataset(self) -> xr.Dataset:
        """Return all evaluations, loaded lazily."""
        self.write()
        return stores.open_study(self.path)

    def add(self, part: Part, new: xr.Dataset, seconds: float) -> None:
        """Keep more evaluations; they are written together with those of the next second.

        Args:
            new: what was simulated of them. seconds: that it took.

        Raises:
            UserError: the store can't be written to.
        """
        self._keep(new)
        self._waiting.append(new)
        self.rows = np.concatenate([self.rows, part.rows])
        self.losses = np.concatenate([self.losses, of_evaluations(new[LOSS].values)])
        more = {GENERATION: part.generation, RESTART: part.restart}
        self._labels = {name: np.concatenate([known, more[name]]) for name, known in self._labels.items()}
        self.added += len(part.rows)
        self.seconds += seconds
        if not self._stored or time.monotonic() - self._written > _WRITTEN_S:
            self.write()

    def write(self) -> None:
        """Write what waits; the store is replaced in one step."""
        if not self._waiting:
            return
        names = list(self._waiting[0].data_vars)
        new = {str(name): np.concatenate([part[name].values for part in self._waiting]) for name in names}
        like = self._template(sum(array.nbytes for array in new.values()) // len(new[STATUS]))
        with making.staged(self.path, like, self.evaluations.inputs()) as there:
            self._fill(there, like, new)
            if self._stored:
                copy_history(self.path, there)
            self._tell(Log(there), len(new[STATUS]))
        self._waiting, self._written = [], time.monotonic()

    def _template(self, bytes_of_one: int) -> xr.Dataset:
        import dask.array as da

        recipe = self.evaluations.recipe(self.rows) | {"fit": self.fit}
        like = self.evaluations.template(self.rows, recipe)
        for name, values in self._labels.items():
            like.coords[name] = (EVALUATION, values, {"long_name": _LABELS[name], "units": "1"})
        for name, data in self.evaluations.losses.data(like).items():
            like.coords[name] = data
        for name, words in self.evaluations.losses.names.items():
            shape = like[STATUS].shape
            attrs = {"long_name": words, "units": "1", MISSING: _NO_LOSS}
            like[name] = (like[STATUS].dims, da.full(shape, np.nan, dtype=np.float64, chunks=shape), attrs)
        chunk = max(1, min(_CHUNK, _CHUNK_BYTES // bytes_of_one))
        chunk = stores.block_shape(self.path)[0] if self._stored else chunk
        # Not of the coordinates, which the template is written with.
        for name in map(str, list(like.data_vars)):
            like[name] = like[name].variable.chunk({d: chunk if d == EVALUATION else -1 for d in like[name].dims})
        return like.assign_attrs({**provenance.attributes(), RECIPE: json.dumps(recipe)})

    def _fill(self, there: Path, like: xr.Dataset, new: Mapping[str, np.ndarray]) -> None:
        """Write all chunks of a new store: those of the old one that are full as they are, the others anew."""
        import zarr

        old = zarr.open_group(stores.zarr_store(self.path), mode="r") if self._stored else None
        made: Any = zarr.open_group(stores.zarr_store(there), mode="r")
        names, grid = [str(name) for name in like.data_vars], like[STATUS].ndim
        size, known, rows = like.chunksizes[EVALUATION][0], self._stored, like.sizes[EVALUATION]
        for number, first in enumerate(range(0, rows, size)):
            stop = min(first + size, rows)
            if first + size <= known:
                for name in names:
                    _link(self.path, there, Path(name, _chunk(made[name], number)))
                continue
            parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
            if old is not None and first < known:
                for name in names:
                    parts[name].append(np.asarray(old[name][first:known]))  # type: ignore[index]
            fresh = slice(max(first, known) - known, stop - known)
            for name in names:
                parts[name].append(new[name][fresh])
            block = (slice(first, stop), *(slice(0, n) for n in like[STATUS].shape[1:]))
            stores.write_block(there, block, {name: _points(np.concatenate(p), grid) for name, p in parts.items()})

    def _tell(self, log: Log, count: int) -> None:
        if self.added == count:
            log.add("run", run=self._run, **provenance.of_run(self._source))
        seconds, self._told_seconds = self.seconds - self._told_seconds, self.seconds
        done = {"points": count * self.evaluations.others, "seconds": round(seconds, 3)}
        log.add("block", run=self._run, block=[[self._stored, len(self)]], device=provenance.device(), **done)
        total = {"seconds": round(self.seconds, 3), "computed": self.added * self.evaluations.others}
        log.add("end", run=self._run, **total)


def _but_code(fit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fit's identity without the hashes of its loss's functions."""
    parts = {name: {**part, "hash": None} for name, part in fit["loss"]["parts"].items()}
    return {**fit, "loss": {**fit["loss"], "parts": parts}}


def _points(values: np.ndarray, grid: int) -> np.ndarray:
    """Return values over the grid as values of points, (point, ...)."""
    return values.reshape(-1, *values.shape[grid:])


def _chunk(array: Any, number: int) -> str:
    return array.metadata.encode_chunk_key((number, *[0] * (array.ndim - 1)))


def _link(old: Path, new: Path, file: Path) -> None:
    """Give a chunk's file, which nothing changes in place, to another store: by a link where the system can."""
    (new / file).parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old / file, new / file)
    except OSError:
        shutil.copyfile(old / file, new / file)
