"""Blocks to dask workers, as tasks, and what becomes of them; whatever workers and scheduler go through meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from gbaexplore.basics.errors import UserError, one_line
from gbaexplore.running.interrupts import Interrupts
from gbaexplore.running.worker import HERE, Outcome, compute, pickled, source_of
from gbaexplore.store import stores
from gbaexplore.study.study import Study

_TASKS_AHEAD = 2  # per worker thread: none waits, and the scheduler holds little
_ASK_S = 0.3  # how often a run looks whether Ctrl-C was pressed, and how many workers there are
_NO_WORKER_S = 60.0  # after which worker processes of our own are not waited for any more
_LOGGER = logging.getLogger(__name__)


def outcomes(client: Any, study: Study, path: Path, todo: list[int], interrupts: Interrupts) -> Iterator[Outcome]:
    """Compute blocks on a client's workers and yield what becomes of each.

    Raises:
        UserError: a worker can't take part; the scheduler or all worker processes have gone.
        OSError: the store can't be written to.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    dispatch = _Dispatch(client, study, path, interrupts)
    try:
        yield from dispatch.run(queues(study, todo, lambda: dispatch.threads))
        # When a worker dies, dask knows which tasks it had, not which of them it died of: each alone tells.
        for index in sorted(dispatch.suspects):
            yield from dispatch.run([[index]], alone=True)
    finally:
        dispatch.close()


def queues(study: Study, todo: list[int], threads: Callable[[], int]) -> Iterator[list[int]]:
    """Yield blocks to be computed as one queue: many while much is left, then few, so that all end together."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index in todo:
        groups.setdefault(tuple(study.variant_of(study.blocks()[index]).labels.values()), []).append(index)
    left = len(todo)
    for group in groups.values():
        while group:
            count = min(study.queue_blocks, math.ceil(2 * left / (3 * threads())))
            task, group = group[:count], group[count:]
            left -= len(task)
            yield task


class _Dispatch:
    """Tasks that have been submitted, a few ahead of the workers."""

    def __init__(self, client: Any, study: Study, path: Path, interrupts: Interrupts) -> None:
        self.client, self.study, self.path, self.interrupts = client, study, path, interrupts
        self.tasks: dict[Any, list[int]] = {}
        self.suspects: list[int] = []
        self._ended = threading.Event()
        self._lonely_since: float | None = None
        self._source = source_of(study, stores.generation(path))
        HERE[self._source.key] = study
        with _scheduler():
            self._sent = _sent(client, study)
            self._counted = time.monotonic()
            self.threads = self._count_threads()

    def run(self, waiting: Iterable[list[int]], alone: bool = False) -> Iterator[Outcome]:
        """Yield what becomes of the blocks of each task; those of a lost one are suspects, unless it was alone."""
        waiting = iter(waiting)
        while True:
            with _scheduler():
                self._submit(itertools.islice(waiting, max(0, _TASKS_AHEAD * self.threads - len(self.tasks))))
                if not self.tasks:
                    return
                self.interrupts.check()
                done = self._done()
            for future in done:
                yield from self._of_task(future, self.tasks.pop(future), alone)
            # A question to the scheduler, whose answer names every worker: not with each task.
            if time.monotonic() - self._counted > _ASK_S:
                with _scheduler():
                    self._counted = time.monotonic()
                    self.threads = self._count_threads()

    def _submit(self, tasks: Iterable[list[int]]) -> None:
        for task in tasks:
            call = pickle.dumps((compute, self._source, str(self.path.absolute()), task))
            future = self.client.submit(_called, call, self._sent, pure=False)
            self.tasks[future] = task
            future.add_done_callback(lambda _: self._ended.set())

    def _done(self) -> list[Any]:
        # Each task calls once, because to wait for the first of all takes as long as there are tasks. One that is
        # lost after its call, with a worker that has just gone, is computed again by dask: it is looked for.
        self._ended.wait(_ASK_S)
        self._ended.clear()
        return [future for future in self.tasks if future.done() and future.status != "lost"]

    def _of_task(self, future: Any, task: list[int], alone: bool) -> list[Outcome]:
        """Return what became of a task's blocks: by its own word, or, of one that got lost, by ours."""
        from distributed.scheduler import KilledWorker

        with _scheduler():
            if future.status == "finished":
                return future.result()
            if future.status == "cancelled":  # as all are when the connection to the scheduler is lost
                raise CancelledError
            error = future.exception()
        if isinstance(error, (UserError, OSError)):
            raise error
        if isinstance(error, ImportError):
            raise UserError(
                f"a dask worker lacks a package ({error}); install there what is installed here, and run again"
            )
        if isinstance(error, KilledWorker) and not alone:
            self.suspects += task
            return []
        killed = isinstance(error, KilledWorker)
        return self._failed(task, "its worker died: it crashed, or was killed" if killed else one_line(error))

    def _failed(self, task: list[int], why: str) -> list[Outcome]:
        found = []
        for index in task:
            block = self.study.blocks()[index].slices
            with stores.bound(self.path, self._source.generation) as there:
                which = stores.unfinished(there, block)
                stores.mark_failed(there, block, which)
            found.append(Outcome(index, int(which.sum()), 0.0, why, ""))
        return found

    def _count_threads(self) -> int:
        """Return how many threads compute; workers come and go.

        Raises:
            UserError: worker processes of our own have gone, and none is started again.
        """
        threads = sum(self.client.nthreads().values())
        if threads:
            self._lonely_since = None
        elif self._lonely_since is None:
            self._lonely_since = time.monotonic()
        elif self.client.cluster is not None and time.monotonic() - self._lonely_since > _NO_WORKER_S:
            raise UserError("no worker process is left, and none starts; finished blocks are kept: run again")
        elif self.client.cluster is None and time.monotonic() - self._lonely_since > _ASK_S:
            _LOGGER.warning("no dask worker is left; waiting for one (Ctrl-C stops; finished blocks are kept)")
            self._lonely_since = math.inf  # said once
        return max(1, threads)

    def close(self) -> None:
        """Let go of what has not been computed."""
        del HERE[self._source.key]
        with contextlib.suppress(Exception):  # the scheduler may have gone
            self.client.cancel(list(self.tasks))


@contextlib.contextmanager
def _scheduler() -> Iterator[None]:
    """Say that the scheduler has gone when it has."""
    try:
        yield
    except (CancelledError, OSError) as error:
        raise UserError(
            f"the dask scheduler has gone ({type(error).__name__}); finished blocks are kept: start another, and run "
            "again"
        ) from None


def _called(call: bytes, *more: Any) -> Any:
    """Call a pickled function. Where it can't be imported the task fails; unpickled by dask, the worker would."""
    import pickle

    function, *args = pickle.loads(call)
    return function(*args, *more)


_called.__module__ = "__main__"  # so it is itself sent by value, not by the name of a module that may be lacking


def _sent(client: Any, study: Study) -> Any:
    """Give a study to a scheduler, for workers that can't load its file; None where there are none."""
    if client.cluster is not None and (study.source is not None or not client.cluster.processes):
        return None
    try:
        # As a task, not as data that one worker holds: the scheduler repeats it if that worker is lost.
        return client.submit(bytes, pickled(study), pure=False)
    except UserError:
        if study.source is None:
            raise
        return None  # the workers may see the file
