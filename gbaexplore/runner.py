"""Missing blocks to dask workers, results to the store; the only module that imports distributed."""

from __future__ import annotations

import contextlib
import datetime
import functools
import gc
import importlib.metadata
import itertools
import json
import logging
import multiprocessing.resource_tracker
import os
import platform
import shlex
import signal
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore import store as stores
from gbaexplore.errors import UserError
from gbaexplore.labels import DIVERGED, FAILED, OK, PENDING, STATUS
from gbaexplore.progress import Progress
from gbaexplore.study import Study

if TYPE_CHECKING:
    import xarray as xr

_TASKS_AHEAD = 4  # per worker thread: enough that none waits, few enough that the scheduler holds little
_CONNECT_S = 6.0
_ASK_S = 0.3  # how often a waiting run looks whether Ctrl-C was pressed
_PACKAGES = ("gbaexplore", "numpy", "jax", "jaxlib", "xarray", "dask", "distributed", "zarr")


@dataclass
class Report:
    """What a run did."""

    path: Path
    points: int
    computed: int = 0
    seconds: float = 0.0
    start_seconds: float = 0.0  # of these, before the first block
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
        if pending:
            lines.append(f"{pending:,} are still to be computed: run the same command again")
        elif not self.computed and not self.errors:
            lines.append("nothing was left to do")
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
        store: the folder that holds `<name>.zarr`.
        workers: None for threads in this process (one per core), else that many processes; a script that
            asks for processes needs the usual `if __name__ == "__main__":` around it.
        scheduler: address of a running dask scheduler, "tcp://host:port".

    Raises:
        UserError: the store is another study's or can't be written to; no scheduler at the address.
        RuntimeError: points failed (they are marked in `status`; the rest is computed).
    """
    report = execute(study, Path(store), workers, scheduler)
    if report.errors:
        raise RuntimeError(f"points failed in {len(report.errors)} blocks of {report.path}: {report.errors[0]}")
    return stores.open_study(report.path)


def store_path(study: Study, folder: Path) -> Path:
    """Return where a study's store is in a folder."""
    return folder / f"{study.name}.zarr"


def missing(study: Study, path: Path) -> list[int]:
    """Return which blocks of a study are not computed yet.

    Raises:
        UserError: what is at `path` is not this study's store.
    """
    blocks = study.blocks()
    if not stores.exists(path):
        return list(range(len(blocks)))
    stores.check_same_recipe(path, study.recipe())
    return stores.missing(path, [block.slices for block in blocks])


def execute(
    study: Study,
    folder: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[int], Progress] | None = None,
    only: list[int] | None = None,
) -> Report:
    """Compute the missing blocks of a study; see `run`.

    Args:
        progress: called with the number of points to do.
        only: compute just these blocks.
    """
    path = store_path(study, folder)
    if workers is not None and workers < 1:
        raise UserError(f"workers = {workers}; expected at least 1, or None for threads in this process")
    todo = missing(study, path) if only is None else only
    report = Report(path, study.size)
    if not todo:
        return report
    started = time.monotonic()
    blocks = study.blocks()
    # Compiling takes as long as importing distributed, and neither needs the other. A model that can't be
    # traced is then known before anything is written.
    prepared = _InBackground(lambda: study.prepare(blocks[todo[0]]))
    with _Interrupts() as interrupts, prepared, _client(workers, scheduler) as client:
        interrupts.check()
        template = None if stores.exists(path) else study.template().assign_attrs(_provenance())
        prepared.result()
        interrupts.check()
        if template is not None:
            stores.create(path, template)
        report.start_seconds = time.monotonic() - started
        shown = progress(sum(blocks[i].size for i in todo)) if progress else None
        try:
            for outcome in _outcomes(client, study, path, todo, interrupts):
                points = blocks[outcome.block].size
                if outcome.error is None:
                    report.computed += points
                else:
                    report.errors.append(outcome.error)
                    _mark_failed(study, path, outcome.block)
                if shown:
                    shown.add(points)
        finally:
            if shown:
                shown.close()
    report.seconds = time.monotonic() - started
    return report


def _provenance() -> dict[str, str]:
    import jax

    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    software = {**versions, "python": platform.python_version(), "device": jax.devices()[0].device_kind}
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "software": json.dumps(software),
    }


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
            raise UserError(f"the study can't be simulated: {_one_line(self._error)}; mend the model or the measure")


def _one_line(error: BaseException) -> str:
    """Say what was raised and in which line of whose code: the last frame outside installed packages."""
    text = " ".join(str(error).split())[:300]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    at = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{at}"


# Clusters.


@contextlib.contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Yield a client of threads in this process, of worker processes, or of a running scheduler."""
    import dask.config
    import distributed

    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": f"{_CONNECT_S}s"}))
        if scheduler is not None:
            client = _connect(scheduler)
        else:
            with _interrupts_blocked(), _no_garbage_collection():
                cluster = distributed.LocalCluster(
                    processes=workers is not None,
                    n_workers=workers or 1,
                    threads_per_worker=1 if workers else os.cpu_count(),
                    dashboard_address=None,
                    # Even without a dashboard the scheduler serves HTTP, and warns if its usual port is taken.
                    scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                    silence_logs="CRITICAL",  # what fails is told by the outcome of its block
                    # One thread per worker process for XLA too; NPROC is what it reads.
                    **({"env": {"NPROC": "1"}} if workers else {}),
                )
            stack.callback(cluster.close, timeout=5)
            client = distributed.Client(cluster, set_as_default=False)
        stack.callback(client.close, timeout=5)
        yield client


def _connect(address: str) -> Any:
    import distributed
    from distributed.comm.registry import backends

    scheme = address.split("://")[0] if "://" in address else "tcp"
    try:
        # Asked first: a client of an unknown scheme would leave its thread behind, and complain at the end.
        if scheme not in backends:
            raise ValueError(f"unknown address scheme {scheme!r}")
        client = distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
        client.wait_for_workers(1, timeout=_CONNECT_S)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())[:120]
        raise UserError(
            f"no dask scheduler with a worker answers at {address} ({type(error).__name__}: {text}); expected the "
            "address that `dask scheduler` prints, such as tcp://127.0.0.1:8786"
        ) from None
    return client


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Keep Ctrl-C waiting, and from all threads and processes that are started meanwhile.

    A worker's process must not be stopped by it half-way: Ctrl-C is for this process, which tells the workers.
    """
    # It is started with the first process otherwise, and then unblocks the signal.
    multiprocessing.resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep a collection on another thread from meeting the callbacks that a starting cluster adds.

    distributed times collections, and prints a traceback for one whose start it has not seen.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Interrupts:
    """Ctrl-C as something to ask for.

    As an exception it would be raised wherever the main thread happens to be, and lost in callbacks and in
    libraries that catch everything.
    """

    def __enter__(self) -> _Interrupts:
        self._asked = threading.Event()
        self._before: Any = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, lambda *_: self._asked.set())
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C has been pressed."""
        if self._asked.is_set():
            # What is closed in a hurry complains about it.
            logging.getLogger("distributed").setLevel(logging.CRITICAL)
            raise KeyboardInterrupt


# Tasks.


class Source(NamedTuple):
    """How a worker gets the study: its file (by path and hash), or the pickled study itself."""

    key: str
    file: tuple[str, str] | None
    pickled: bytes | None


class Outcome(NamedTuple):
    """What became of a block; `error` is one line, or None."""

    block: int
    error: str | None


_HERE: dict[str, Study] = {}  # studies of this process: its threads need not load them again


def _outcomes(client: Any, study: Study, path: Path, todo: list[int], interrupts: _Interrupts) -> Iterator[Outcome]:
    """Submit blocks, a few ahead of the workers, and yield what becomes of each."""
    import distributed

    source = _source(client, study)
    submit = functools.partial(client.submit, compute_block, source, str(path.absolute()), pure=False)
    _HERE[source.key] = study
    waiting = iter(todo)
    blocks: dict[Any, int] = {}
    try:
        ahead = _TASKS_AHEAD * sum(client.nthreads().values())
        blocks = {submit(index): index for index in itertools.islice(waiting, ahead)}
        while blocks:
            interrupts.check()
            with contextlib.suppress(TimeoutError), client.as_current():
                distributed.wait(list(blocks), timeout=_ASK_S, return_when="FIRST_COMPLETED")
            for future in [future for future in blocks if future.done()]:
                yield _outcome(future, blocks.pop(future), path)
                blocks |= {submit(index): index for index in itertools.islice(waiting, 1)}
    finally:
        client.cancel(list(blocks))
        del _HERE[source.key]


def _outcome(future: Any, index: int, path: Path) -> Outcome:
    error = future.exception() if future.status == "error" else None
    if isinstance(error, OSError):
        raise UserError(f"{path} can't be written to: {error}; finished blocks are kept: mend it, run again")
    return Outcome(index, _one_line(error)) if error else future.result()


def _source(client: Any, study: Study) -> Source:
    key = uuid.uuid4().hex
    in_process = getattr(client.cluster, "processes", True) is False
    if in_process:
        return Source(key, None, None)
    if study.source is not None:
        return Source(key, study.source, None)
    import cloudpickle

    return Source(key, None, cloudpickle.dumps(study))


@functools.lru_cache(maxsize=4)
def _load(source: Source) -> Study:
    """Return the study, loaded once in each worker process."""
    if source.key in _HERE:
        return _HERE[source.key]
    if source.pickled is not None:
        import cloudpickle

        return cloudpickle.loads(source.pickled)
    from gbaexplore.studyfile import load_study

    assert source.file is not None  # it is one of the three
    path, digest = source.file
    study = load_study(path)
    assert study.source is not None  # load_study sets it
    if study.source[1] != digest:
        raise UserError(f"{path} has changed since the run was started; run it again")
    return study


def compute_block(source: Source, path: str, index: int) -> Outcome:
    """Compute a block and write it (on a worker)."""
    study = _load(source)
    block = study.blocks()[index]
    try:
        arrays = study.run_block(block)
    except Exception as error:  # recorded with its message; the other blocks go on
        return Outcome(index, _one_line(error))
    stores.write_block(Path(path), block.slices, arrays)
    return Outcome(index, None)


def _mark_failed(study: Study, path: Path, index: int) -> None:
    block = study.blocks()[index]
    stores.write_block(path, block.slices, {STATUS: np.full(block.shape, FAILED, dtype=np.uint8)})
