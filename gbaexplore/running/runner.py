"""Run a study: compute the points missing from its store and report the outcome."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError, printable, redacted
from gbaexplore.basics.names import FAILED, PENDING, STATUS_MEANINGS
from gbaexplore.basics.places import check_writable, names_store, place, writing
from gbaexplore.running.background import InBackground
from gbaexplore.running.cluster import client_of
from gbaexplore.running.dispatch import outcomes, queues
from gbaexplore.running.interrupts import Interrupted, Interrupts
from gbaexplore.running.progress import Progress
from gbaexplore.running.proof import Proof, other_software, prove
from gbaexplore.running.worker import Outcome
from gbaexplore.store import earlier, making, provenance, stores
from gbaexplore.store.grown import labels_before
from gbaexplore.store.history import Log
from gbaexplore.store.lock import own_folder, without_writers
from gbaexplore.store.recipe import identity, same_but_code, with_code
from gbaexplore.store.regrid import Extension, but_axes, extend, extension
from gbaexplore.store.upgrade import rename, renamed, upgrade
from gbaexplore.study.study import Study

if TYPE_CHECKING:
    import xarray as xr


@dataclass
class Report:
    """The report of a run."""

    path: Path
    points: int
    computed: int = 0
    seconds: float = 0.0
    start_seconds: float = 0.0  # included in `seconds`, before the first block
    carried: Extension | None = None
    proof: Proof | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every point has been computed."""
        return not np.isin(stores.status(self.path), (PENDING, FAILED)).any()

    def __str__(self) -> str:
        state = stores.status(self.path)
        pending, ok, diverged, failed, undefined = (int((state == code).sum()) for code in range(len(STATUS_MEANINGS)))
        points = "1 point" if self.points == 1 else f"{self.points:,} points"
        lines = [f"{points}: {ok:,} ok, {diverged:,} diverged, {failed:,} failed"]
        if undefined:
            lines.append(f"{undefined:,} are undefined: what they measure is not finite there, and NaN")
        if self.proof:
            lines.append(f"the store was made by other software: {self.proof}")
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
        steps = ["run the same command again to retry the failed points; then"] if failed else []
        steps += [
            f"gbaexplore info {shlex.quote(str(self.path))}",
            f"or, in Python: gbaexplore.open_study({str(self.path)!r})",
        ]
        lines += [f"result: {self.path}", f"next:   {steps[0]}", *(f"        {step}" for step in steps[1:])]
        return "\n".join(map(printable, lines))


def run(
    study: Study, store: str | Path = "store", workers: int | None = None, scheduler: str | None = None
) -> xr.Dataset:
    """Compute the missing points of a study and return its Dataset.

    Args:
        store: the folder for `<name>.zarr`, or the store itself if it ends in .zarr; or the URL of either in an
            object store. `~` is the home folder.
        workers: None for threads in this process (one per core), else that many processes; a script that
            asks for processes needs the usual `if __name__ == "__main__":` around it.
        scheduler: address of a running dask scheduler, "tcp://host:port".

    Raises:
        UserError: the store belongs to another study or can't be written to; no scheduler at the address.
        RuntimeError: points failed (they are marked in `status`; the rest are computed).
    """
    report = execute(study, place(store), workers, scheduler)
    if report.errors:
        raise RuntimeError(f"points failed in {len(report.errors)} blocks of {report.path}: {report.errors[0]}")
    return stores.open_study(report.path)


def store_path(study: Study, store: Path) -> Path:
    """Return the path of a study's store, given the store itself or a folder of stores."""
    return store if names_store(store) else store / f"{study.name}.zarr"


class Todo(NamedTuple):
    """What remains to compute of a study."""

    study: Study  # the study in the blocks of its store
    blocks: list[int]
    points: int
    change: Extension | None = None  # a change of the store's grid that comes first
    proof: Proof | None = None  # that the study still gives the numbers that other software made


def outstanding(study: Study, path: Path, shrink: bool = False, proof: Proof | None = None) -> Todo:
    """Return what remains to compute of a study.

    Args:
        proof: an earlier proof of the store.

    Raises:
        UserError: there is something else than this study's store at `path`, or no store can be made there.
    """
    if not making.made(path):
        check_writable(path)
        return Todo(study, list(range(len(study.blocks()))), study.size)
    stores.check_unchanged(path)
    study = study.pinned()
    there, known, before = _compared(study, path)
    wanted, change, proved = known.recipe(), None, None
    if before or identity(there) != identity(wanted):
        there, doubtful = _of_our_code(known, path, there, wanted)
        change = extension(path, there, wanted, study.template(), shrink, before)
        if doubtful:
            proved = proof or prove(study, path, change)
    if change is None or change.same_grid:
        change, pending = None, stores.unfinished(path)
        study = study.in_blocks(stores.block_shape(path))
    else:
        pending = change.pending
    blocks = [i for i, block in enumerate(study.blocks()) if pending[block.slices].any()]
    return Todo(study, blocks, int(pending.sum()), change, proved)


def _compared(study: Study, path: Path) -> tuple[dict[str, Any], Study, dict[str, Any]]:
    """Return a store's recipe; the study without the axes that the store lacks; and their labels that it is at.

    Raises:
        UserError: the store has axes that the study lacks, or the other way round without such a label.
    """
    wanted = study.recipe()
    there = stores.recipe_for(path, wanted)
    before = labels_before(path, there, wanted, study.template())
    if not before.labels:
        return there, study, {}
    known = study.at(*before).pinned()
    return stores.recipe_for(path, known.recipe()), known, before.labels


def _of_our_code(
    study: Study, path: Path, there: dict[str, Any], wanted: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Return a store's recipe, with the study's code if that may give its numbers, and whether to prove that."""
    old, new = but_axes(there, wanted), but_axes(wanted, there)
    if identity(old) == identity(new) or not same_but_code(old, new):
        return there, False
    if _same_on_its_grid(study, path, there):
        return with_code(there, wanted), False
    if not other_software(path):
        return there, False
    return with_code(there, wanted), True


def _same_on_its_grid(study: Study, path: Path, there: dict[str, Any]) -> bool:
    """Return whether the code differs only because the grid does, as when noise is 0 at all the store's points."""
    with contextlib.suppress(UserError, KeyError):  # values that the study refuses, or an axis that the store lacks
        same = study.on_grid_of(stores.open_study(path)).recipe()
        return identity(but_axes(there, same)) == identity(but_axes(same, there))
    return False


def proved(study: Study, path: Path) -> Proof:
    """Compute a sample of a store's finished points again and, if they agree, adopt the study's recipe.

    Raises:
        UserError: the store belongs to another study; a point has other numbers.
    """
    study = study.pinned()
    stores.check_unchanged(path)
    there, known, before = _compared(study, path)
    wanted = known.recipe()
    only_code = same_but_code(but_axes(there, wanted), but_axes(wanted, there))
    ours = with_code(there, wanted) if only_code else there
    change = extension(path, ours, wanted, study.template(), shrink=True, before=before)
    proof = prove(study, path, change)
    if change.same_grid and identity(there) != identity(wanted):
        with making.locked(path):
            _adopt(study, path, proof)
    return proof


def _adopt(study: Study, path: Path, proof: Proof) -> None:
    """Adopt the study's recipe in a store and record it in the store's history."""
    with without_writers(path):
        stores.adopt(path, study.recipe(), provenance.software())
    _tell_proof(path, proof)


def _tell_proof(path: Path, proof: Proof) -> None:
    Log(path).add("proved", points=proof.points, largest=proof.largest, software=provenance.software())


def execute(
    study: Study,
    store: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[int], Progress] | None = None,
    only: list[int] | None = None,
    shrink: bool = False,
) -> Report:
    """Compute the missing points of a study; see `run`.

    Args:
        progress: called with the number of points to compute.
        only: compute only these blocks, in a store of their own.
        shrink: whether values that the study no longer has are dropped from the store.
    """
    path = store_path(study, store)
    if workers is not None and workers < 1:
        raise UserError(f"workers = {workers}; expected at least 1, or None for threads in this process")

    study, found = study.pinned(), None

    def look() -> Todo:
        todo = outstanding(study, path, shrink, found)
        if only is None:
            return todo
        return todo._replace(blocks=only, points=sum(study.blocks()[i].size for i in only))

    todo = look()
    found = todo.proof
    if making.made(path) and only is None and (names := renamed(path, study.simulation.outputs.earlier_names)):
        with making.locked(path):
            rename(path, names)
        todo = look()
    if making.made(path) and earlier.made(path):
        with making.locked(path):
            upgrade(path)
        todo = look()
    report = Report(path, study.size, proof=found)
    started = time.monotonic()
    if todo.blocks:
        try:
            _compute(path, todo, look, report, workers, scheduler, progress)
        except KeyboardInterrupt:
            raise Interrupted(_kept(path)) from None
        report.seconds = time.monotonic() - started
    elif todo.change or todo.proof:
        with making.locked(path):
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
    started = time.monotonic()
    # Compiling takes as long as importing distributed and what makes the store, and they are independent. A model that
    # can't be traced is then known before anything is written.
    here = workers is None and scheduler is None  # other processes compile for themselves
    prepare = functools.partial(_prepare, todo, here)
    # Started where Ctrl-C raises nothing: else its thread could be left to itself.
    with Interrupts() as interrupts, InBackground(prepare) as prepared, client_of(workers, scheduler) as client:
        interrupts.check()
        making.ready()
        prepared.result(interrupts)
        interrupts.check()
        with making.locked(path):
            todo = look()  # checked again, since another run may have been here meanwhile
            _prepare_store(path, todo, report)
            report.start_seconds = time.monotonic() - started
            shown = progress(todo.points) if progress else None
            stopping = [shown.stop] if shown else []
            with writing(path, "finished blocks are kept: fix that and run again"):
                try:
                    found = outcomes(client, todo.study, path, todo.blocks, interrupts, *stopping)
                    for outcome in _recorded(found, todo.study, path, report):
                        if shown:
                            shown.add(outcome.points)
                except FileNotFoundError:
                    raise stores.gone(path) from None
                finally:
                    if shown:
                        shown.close()


def _prepare(todo: Todo, compiled: bool) -> None:
    """Check what is to be computed, and compile its programs."""
    threads = os.cpu_count() or 1
    study = todo.study.shared_by(threads)
    first = [study.blocks()[index] for index in next(queues(study, todo.blocks, lambda: threads))]
    if compiled:
        study.prepare_queue(first)
    else:
        study.check(first[0])


def _kept(path: Path) -> str:
    """Return a line about what an interrupted run leaves."""
    done = ~stores.unfinished(path) if making.made(path) else np.zeros(1, dtype=bool)
    kept = f"{done.sum():,} of {done.size:,} points are kept in {path}" if done.any() else "no point was finished yet"
    return printable(f"interrupted; {kept}: the same command goes on from there")


def _prepare_store(path: Path, todo: Todo, report: Report) -> None:
    """Create the store if there is none; change its grid if the study's differs."""
    report.carried = todo.change
    if todo.proof and not todo.change:
        _adopt(todo.study, path, todo.proof)
    if todo.change:
        extend(path, _template(todo.study), todo.study.inputs(), todo.change)
        if todo.proof:
            _tell_proof(path, todo.proof)
    elif not making.made(path):
        making.create(path, _template(todo.study), todo.study.inputs())


def _template(study: Study) -> xr.Dataset:
    return study.template().assign_attrs(provenance.attributes())


def _recorded(outcomes: Iterator[Outcome], study: Study, path: Path, report: Report) -> Iterator[Outcome]:
    """Yield outcomes and record them in the report and in the store's history."""
    started, run, generation = time.monotonic(), uuid.uuid4().hex[:8], stores.generation(path)
    with own_folder(path) as folder:
        log = Log(folder)
        log.add("run", run=run, **provenance.of_run(study.source))
        try:
            for outcome in outcomes:
                extent = [[s.start, s.stop] for s in study.blocks()[outcome.block].slices]
                if outcome.error is None:
                    report.computed += outcome.points
                    done = {"points": outcome.points, "seconds": round(outcome.seconds, 3), "device": outcome.device}
                    log.add("block", run=run, block=extent, **done)
                else:
                    report.errors.append(outcome.error)
                    log.add("failed", run=run, block=extent, error=redacted(outcome.error))
                yield outcome
        finally:
            with contextlib.suppress(OSError):  # the disk may be full, which is reported elsewhere
                log.add("end", run=run, seconds=round(time.monotonic() - started, 3), computed=report.computed)
                log.flush()
    with stores.bound(path, generation):
        pass  # or the report would describe another store
