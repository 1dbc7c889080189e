"""A run: what is missing of a study is computed, in its store, and told."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore import provenance
from gbaexplore import store as stores
from gbaexplore.cluster import client_of
from gbaexplore.dispatch import outcomes
from gbaexplore.errors import UserError
from gbaexplore.extension import Extension, extend, extension
from gbaexplore.history import Log
from gbaexplore.interrupts import Interrupts
from gbaexplore.labels import DIVERGED, FAILED, OK, PENDING
from gbaexplore.places import place
from gbaexplore.progress import Progress
from gbaexplore.study import Study
from gbaexplore.worker import Outcome, one_line

if TYPE_CHECKING:
    import xarray as xr


@dataclass
class Report:
    """What a run did."""

    path: Path
    points: int
    computed: int = 0
    seconds: float = 0.0
    start_seconds: float = 0.0  # of these, before the first block
    carried: Extension | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every point has been computed."""
        return not np.isin(stores.status(self.path), (PENDING, FAILED)).any()

    def __str__(self) -> str:
        state = stores.status(self.path)
        pending, ok, diverged, failed = (int((state == code).sum()) for code in (PENDING, OK, DIVERGED, FAILED))
        points = "1 point" if self.points == 1 else f"{self.points:,} points"
        lines = [f"{points}: {ok:,} ok, {diverged:,} diverged, {failed:,} failed"]
        if self.carried:
            lines.append(f"the store's grid has changed: {self.carried}")
        if pending:
            lines.append(f"{pending:,} are still to be computed: run the same command again")
        elif not self.computed and not self.errors:
            lines.append("nothing was left to compute" if self.carried else "nothing was left to do")
        else:
            rate = self.computed / self.seconds
            lines.append(f"{self.computed:,} computed in {self.seconds:.1f} s ({rate:,.0f} points/s)")
        lines += [f"failed: {error}" for error in dict.fromkeys(self.errors)]
        again = "run the same command again to retry the failed points; then\n        " if failed else ""
        lines += [
            f"result: {self.path}",
            f"next:   {again}gbaexplore info {shlex.quote(str(self.path))}",
            f"        or, in Python: gbaexplore.open_study({str(self.path)!r})",
        ]
        return "\n".join(lines)


def run(
    study: Study, store: str | Path = "store", workers: int | None = None, scheduler: str | None = None
) -> xr.Dataset:
    """Compute what is missing of a study and return its Dataset.

    Args:
        store: the folder that holds `<name>.zarr`, or its URL in an object store.
        workers: None for threads in this process (one per core), else that many processes; a script that
            asks for processes needs the usual `if __name__ == "__main__":` around it.
        scheduler: address of a running dask scheduler, "tcp://host:port".

    Raises:
        UserError: the store is another study's or can't be written to; no scheduler at the address.
        RuntimeError: points failed (they are marked in `status`; the rest is computed).
    """
    report = execute(study, place(store), workers, scheduler)
    if report.errors:
        raise RuntimeError(f"points failed in {len(report.errors)} blocks of {report.path}: {report.errors[0]}")
    return stores.open_study(report.path)


def store_path(study: Study, folder: Path) -> Path:
    """Return where a study's store is in a folder."""
    return folder / f"{study.name}.zarr"


class Todo(NamedTuple):
    """What is to be done for a study."""

    study: Study  # in the blocks of its store
    blocks: list[int]
    points: int
    change: Extension | None  # of the store's grid, before


def outstanding(study: Study, path: Path, shrink: bool = False) -> Todo:
    """Return what of a study is not computed yet.

    Raises:
        UserError: what is at `path` is not this study's store, whatever values its axes have.
    """
    if not stores.made(path):
        return Todo(study, list(range(len(study.blocks()))), study.size, None)
    stores.check_unchanged(path)
    change = None
    if stores.recipe(path) != study.recipe():
        change = extension(path, study.recipe(), study.template(), shrink)
    if change is None or change.same_grid:
        change, pending = None, stores.unfinished(path)
        study = study.in_blocks(stores.block_shape(path))
    else:
        pending = change.pending
    blocks = [i for i, block in enumerate(study.blocks()) if pending[block.slices].any()]
    return Todo(study, blocks, int(pending.sum()), change)


def execute(
    study: Study,
    folder: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[int], Progress] | None = None,
    only: list[int] | None = None,
    shrink: bool = False,
) -> Report:
    """Compute the missing points of a study; see `run`.

    Args:
        progress: called with the number of points to do.
        only: compute just these blocks, in a store of their own.
        shrink: whether values that the study no longer has may be dropped from the store.
    """
    path = store_path(study, folder)
    if workers is not None and workers < 1:
        raise UserError(f"workers = {workers}; expected at least 1, or None for threads in this process")

    def look() -> Todo:
        todo = outstanding(study, path, shrink)
        if only is None:
            return todo
        return todo._replace(blocks=only, points=sum(study.blocks()[i].size for i in only))

    todo = look()
    report = Report(path, study.size)
    started = time.monotonic()
    if todo.blocks:
        _compute(path, todo, look, report, workers, scheduler, progress)
        report.seconds = time.monotonic() - started
    elif todo.change:
        with stores.locked(path):
            _prepare_store(path, look(), report)
    return report


def _compute(
    path: Path,
    todo: Todo,
    look: Callable[[], Todo],
    report: Report,
    workers: int | None,
    scheduler: str | None,
    progress: Callable[[int], Progress] | None,
) -> None:
    started, study = time.monotonic(), todo.study
    first = study.variant_of(study.blocks()[todo.blocks[0]])
    # Compiling takes as long as importing distributed, and neither needs the other. A model that can't be
    # traced is then known before anything is written.
    prepared = _InBackground(lambda: study.prepare(first))
    with Interrupts() as interrupts, prepared, client_of(workers, scheduler) as client:
        interrupts.check()
        prepared.result()
        interrupts.check()
        with stores.locked(path):
            todo = look()  # once more: another run may have been here since
            _prepare_store(path, todo, report)
            report.start_seconds = time.monotonic() - started
            shown = progress(todo.points) if progress else None
            try:
                found = outcomes(client, todo.study, path, todo.blocks, interrupts)
                for outcome in _recorded(found, todo.study, path, report):
                    if shown:
                        shown.add(outcome.points)
            except OSError as error:
                raise UserError(
                    f"{path} can't be written to: {error}; finished blocks are kept: mend it, run again"
                ) from None
            finally:
                if shown:
                    shown.close()


def _prepare_store(path: Path, todo: Todo, report: Report) -> None:
    """Make the store if there is none, and change its grid if it is to have another."""
    report.carried = todo.change
    if todo.change:
        extend(path, _template(todo.study), todo.study.inputs(), todo.change)
    elif not stores.made(path):
        stores.create(path, _template(todo.study), todo.study.inputs())


def _template(study: Study) -> xr.Dataset:
    return study.template().assign_attrs(provenance.attributes())


def _recorded(outcomes: Iterator[Outcome], study: Study, path: Path, report: Report) -> Iterator[Outcome]:
    """Pass outcomes on, and note them in the report and in the store's history."""
    started, run = time.monotonic(), uuid.uuid4().hex[:8]
    log = Log(path)
    log.add("run", run=run, **provenance.of_run(study))
    try:
        for outcome in outcomes:
            extent = [[s.start, s.stop] for s in study.blocks()[outcome.block].slices]
            if outcome.error is None:
                report.computed += outcome.points
                seconds = round(outcome.seconds, 3)
                log.add("block", run=run, block=extent, points=outcome.points, seconds=seconds, device=outcome.device)
            else:
                report.errors.append(outcome.error)
                log.add("failed", run=run, block=extent, error=outcome.error)
            yield outcome
    finally:
        with contextlib.suppress(OSError):  # the disk may be full, which is told elsewhere
            log.add("end", run=run, seconds=round(time.monotonic() - started, 3), computed=report.computed)
            log.flush()


class _InBackground:
    """A function's result, computed on a thread of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(function,), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[[], Any]) -> None:
        try:
            function()
        except BaseException as error:  # handed over to whoever asks for the result
            self._error = error

    def __enter__(self) -> _InBackground:
        return self

    def __exit__(self, *_: object) -> None:
        # An interpreter that ends while XLA compiles on another thread aborts.
        self._thread.join()

    def result(self) -> None:
        """Wait, and raise what the function raised: its line, if the fault is in a model."""
        self._thread.join()
        if isinstance(self._error, UserError):
            raise self._error
        if self._error is not None:
            raise UserError(f"the study can't be simulated: {one_line(self._error)}; mend the model or the measure")
