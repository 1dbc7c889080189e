"""Where points are simulated that no store waits for: threads of this process, worker processes, a dask scheduler."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.running.cluster import client_of
from gbaexplore.running.dispatch import called, connected
from gbaexplore.running.worker import Source, loaded, pickled, source_of
from gbaexplore.study.study import Study


class Job(NamedTuple):
    """Points of one variant of a study."""

    study: Study  # pinned, and in queues that hold the points
    variant: int  # its position among the study's
    at: Mapping[str, np.ndarray]  # parameter of an axis or table -> (point,) values


class Pool(Protocol):
    """What simulates jobs side by side."""

    @property
    def threads(self) -> int:
        """Number of jobs that are computed at the same time."""

    def simulated(self, jobs: Sequence[Job]) -> list[dict[str, np.ndarray]]:
        """Return every variable of the points of each job, (point, ...), in the jobs' order."""


@contextlib.contextmanager
def pool_of(workers: int | None, scheduler: str | None) -> Iterator[Pool]:
    """Yield the threads of this process, or as many worker processes, or those of a running scheduler.

    Raises:
        UserError: fewer than 1 worker; no scheduler at the address.
    """
    if workers is not None and workers < 1:
        raise UserError(f"workers = {workers}; expected at least 1, or None for threads in this process")
    if workers is None and scheduler is None:
        yield Threads()
        return
    with client_of(workers, scheduler) as client:
        yield Workers(client)


def points_of(job: Job) -> dict[str, np.ndarray]:
    """Return every variable of a job's points, (point, ...)."""
    variant = list(job.study.variants())[job.variant]
    count = len(next(iter(job.at.values())))
    return job.study.run_points(variant, job.study.points_at(variant, job.at), count)


class Threads:
    """Threads of this process, one a core."""

    def __init__(self) -> None:
        self.threads = os.cpu_count() or 1
        self._prepared: set[Study] = set()

    def simulated(self, jobs: Sequence[Job]) -> list[dict[str, np.ndarray]]:
        for study in dict.fromkeys(job.study for job in jobs):
            if study not in self._prepared:
                study.prepare(next(study.variants()))  # compiles; the others find the program
                self._prepared.add(study)
        pool = ThreadPoolExecutor(self.threads)
        try:
            return list(pool.map(points_of, jobs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # an interruption waits for none


class Workers:
    """Processes that a dask scheduler knows."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[Study, tuple[Source, Any]] = {}

    @property
    def threads(self) -> int:
        with connected():
            return max(1, sum(self._client.nthreads().values()))

    def simulated(self, jobs: Sequence[Job]) -> list[dict[str, np.ndarray]]:
        from distributed.scheduler import KilledWorker

        futures: list[Any] = []
        try:
            with connected():
                futures.extend(map(self._submitted, jobs))
                return self._client.gather(futures)
        except KilledWorker:
            raise UserError(
                "a worker died: it crashed, or was killed; what was written is kept: run again, with fewer workers if "
                "memory is short"
            ) from None
        finally:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                self._client.cancel(futures)

    def _submitted(self, job: Job) -> Any:
        study = job.study
        if study not in self._known:
            # Without the file, which defines another study than that of a fit's table; as a task, which the scheduler
            # repeats if its worker is lost.
            source = source_of(study, generation="")._replace(file=None)
            self._known[study] = source, self._client.submit(bytes, pickled(study), pure=False)
        source, sent = self._known[study]
        call = pickle.dumps((_points_there, source, job.variant, job.at))
        return self._client.submit(called, call, sent, pure=False)


def _points_there(source: Source, variant: int, at: Mapping[str, np.ndarray], sent: bytes) -> dict[str, np.ndarray]:
    """Return a job's points, on a worker."""
    return points_of(Job(loaded(source, sent), variant, at))
