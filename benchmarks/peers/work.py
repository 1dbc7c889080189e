"""The work that is measured, in NumPy alone: every peer has an environment of its own, without gbaexplore."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SMALLEST = "GBAEXPLORE_SMALLEST_BENCHMARKS" in os.environ  # as in ../shell.py
AREAS = 84
DT = 1e-3  # s
SECONDS = 0.2 if SMALLEST else 60.0
POINTS = (4,) if SMALLEST else (32, 256)
NOISE = 0.01  # of the gating variable, s^-0.5
VELOCITY = 3.0  # m/s
ONE_POINT_AREAS = 80
EI_AREAS = 100
EI_SECONDS = 1 if SMALLEST else 2
EI_OURS, EI_THEIRS = (2, 2) if SMALLEST else (256, 4)  # points: cuBNM takes one after another


def weights(areas: int) -> np.ndarray:
    """Return a dense network, (target, source): log-normal, symmetric, no self-connections, rows sum to about 1."""
    found = np.random.default_rng(0).lognormal(size=(areas, areas))
    np.fill_diagonal(found, 0)
    found = (found + found.T) / 2
    return found / found.sum(1).mean()


def lengths(areas: int) -> np.ndarray:
    """Return the lengths of pathways, (target, source), mm: 10 to 200, symmetric."""
    found = np.random.default_rng(1).uniform(10, 200, (areas, areas))
    np.fill_diagonal(found, 0)
    return (found + found.T) / 2


def couplings(points: int) -> np.ndarray:
    """Return the global coupling of each point."""
    return np.linspace(0.1, 1.0, points)


class Took(NamedTuple):
    """What a job took in seconds."""

    wall: float
    processor: float  # of all threads

    def best(self, other: Took | None) -> Took:
        return self if other is None else Took(*map(min, self, other))


def timed(job: Callable[[], object]) -> Took:
    started = time.perf_counter(), time.process_time()
    job()
    return Took(time.perf_counter() - started[0], time.process_time() - started[1])


def serve(jobs: dict[str, Callable[[], object]]) -> None:
    """Run the job named in each line of standard input, and answer with what it took."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print
    for line in sys.stdin:
        print(*timed(jobs[line.strip()]), file=answers, flush=True)
