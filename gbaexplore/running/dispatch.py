"""Blocks as dask tasks, and their outcomes, whatever happens to workers and scheduler meanwhile."""

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

_TASKS_AHEAD = 2  # per worker thread, so that none waits and the scheduler holds few
_ASK_S = 0.3  # how often a run checks for Ctrl-C and counts the workers
_LAST_BLOCKS_S = 5.0  # how long Ctrl-C waits for the blocks that our own workers compute
_NO_WORKER_S = 60.0  # how long to wait for our own worker processes to come back
_LOGGER = logging.getLogger(__name__)


def outcomes(
    client: Any,
    study: Study,
    path: Path,
    todo: list[int],
    interrupts: Interrupts,
    stopping: Callable[[int, float], None] = lambda blocks, seconds: None,
) -> Iterator[Outcome]:
    """Compute blocks on a client's workers and yield the outcome of each.

    Args:
        stopping: called after Ctrl-C with the number of blocks that are waited for, and how long at most, s.

    Raises:
        UserError: a worker can't take part; the scheduler or all worker processes are gone.
        OSError: the store can't be written to.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    dispatch = _Dispatch(client, study, path, interrupts)
    try:
        yield from dispatch.run(queues(dispatch.study, todo, lambda: dispatch.threads))
        # When a worker dies, dask knows which tasks it had, not which of them killed it: each is tried alone.
        for index in sorted(dispatch.suspects):
            yield from dispatch.run([[index]], alone=True)
    except KeyboardInterrupt:
        yield from dispatch.last(stopping)
        raise
    finally:
        dispatch.close()


def queues(study: Study, todo: list[int], threads: Callable[[], int]) -> Iterator[list[int]]:
    """Yield groups of blocks to compute as one queue: large first, small towards the end, so that all end together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index in todo:
        groups.setdefault(study.simulation.blocks.group_of(study.blocks()[index]), []).append(index)
    left = len(todo)
    for group in groups.values():
        while group:
            count = min(study.queue_blocks, max(study.fewest_blocks, math.ceil(2 * left / (3 * threads()))))
            task, group = group[:count], group[count:]
            left -= len(task)
            yield task


class _Dispatch:
    """Submitted tasks, a few ahead of the workers."""

    def __init__(self, client: Any, study: Study, path: Path, interrupts: Interrupts) -> None:
        self.client, self.path, self.interrupts = client, path, interrupts
        self.tasks: dict[Any, list[int]] = {}
        self.suspects: list[int] = []
        self._ended = threading.Event()
        self._lonely_since: float | None = None
        with connected():
            self._sent = _sent(client, study)
            self._counted = time.monotonic()
            self.threads = self._count_threads()
        self.study = study.shared_by(self.threads)
        self._source = source_of(self.study, stores.generation(path))
        HERE[self._source.key] = self.study

    def run(self, waiting: Iterable[list[int]], alone: bool = False) -> Iterator[Outcome]:
        """Yield the outcomes of each task's blocks; the blocks of a lost task are suspects, unless it had one."""
        waiting = iter(waiting)
        while True:
            with connected():
                self._submit(itertools.islice(waiting, max(0, _TASKS_AHEAD * self.threads - len(self.tasks))))
                if not self.tasks:
                    return
                self.interrupts.check()
                done = self._done()
            for future in done:
                yield from self._of_task(future, self.tasks.pop(future), alone)
            # The scheduler's answer names every worker, so it is not asked with each task.
            if time.monotonic() - self._counted > _ASK_S:
                with connected():
                    self._counted = time.monotonic()
                    self.threads = self._count_threads()

    def last(self, stopping: Callable[[int, float], None]) -> Iterator[Outcome]:
        """Yield the outcomes of blocks that our own workers compute at this moment, and of no more.

        Other workers write theirs whether we wait or not.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed again.
        """
        if self.client.cluster is None:
            return
        with connected():
            busy = {key for stacks in self.client.call_stack().values() for key in stacks}
            waiting = [future for future in self.tasks if future.key not in busy and not future.done()]
            self.client.cancel(waiting)
        for future in waiting:
            del self.tasks[future]
        end = time.monotonic() + _LAST_BLOCKS_S
        if self.tasks:
            stopping(sum(map(len, self.tasks.values())), _LAST_BLOCKS_S)
        while self.tasks and time.monotonic() < end:
            self.interrupts.check()
            for future in self._done():
                yield from self._of_task(future, self.tasks.pop(future), alone=False)

    def _submit(self, tasks: Iterable[list[int]]) -> None:
        for task in tasks:
            call = pickle.dumps((compute, self._source, str(self.path.absolute()), task))
            # In their order: of those submitted within 100 ms that wait for the study, dask takes any first.
            future = self.client.submit(called, call, self._sent, pure=False, fifo_timeout="0 ms")
            self.tasks[future] = task
            future.add_done_callback(lambda _: self._ended.set())

    def _done(self) -> list[Any]:
        # Each task calls back, because waiting for the first of all takes time in proportion to their number. dask
        # repeats a task that is lost after its call, together with its worker, so its result is checked for.
        self._ended.wait(_ASK_S)
        self._ended.clear()
        return [future for future in self.tasks if future.done() and future.status != "lost"]

    def _of_task(self, future: Any, task: list[int], alone: bool) -> list[Outcome]:
        """Return the outcomes of a task's blocks: its own, or ours if it was lost."""
        from distributed.scheduler import KilledWorker

        with connected():
            if future.status == "finished":
                return future.result()
            if future.status == "cancelled":  # as all tasks are when the connection to the scheduler is lost
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
        """Return the number of computing threads; workers come and go.

        Raises:
            UserError: our own worker processes are gone and none is restarted.
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
            self._lonely_since = math.inf  # reported once
        return max(1, threads)

    def close(self) -> None:
        """Cancel the tasks that have not been computed."""
        del HERE[self._source.key]
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self.client.cancel(list(self.tasks))


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Turn the errors of a scheduler that is gone into a UserError."""
    try:
        yield
    except (CancelledError, OSError) as error:
        raise UserError(
            f"the dask scheduler is gone ({type(error).__name__}); finished blocks are kept: start another, and run "
            "again"
        ) from None


def called(call: bytes, *more: Any) -> Any:
    """Call a pickled function. One that can't be imported fails its task here; if dask unpickled it, its worker."""
    import pickle

    function, *args = pickle.loads(call)
    return function(*args, *more)


called.__module__ = "__main__"  # sent by value itself, since the worker may lack this module


def _sent(client: Any, study: Study) -> Any:
    """Send a study to the scheduler for workers that can't load its file; return None if there are no such workers."""
    if client.cluster is not None and (study.source is not None or not client.cluster.processes):
        return None
    try:
        # As a task, not as data: the scheduler repeats a task whose worker is lost.
        return client.submit(bytes, pickled(study), pure=False)
    except UserError:
        if study.source is None:
            raise
        return None  # all workers may see the file
