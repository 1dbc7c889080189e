"""Figures of the map inside one process, its start left out: `grid.py threads` and `grid.py early_end`."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from shell import ROOT, map_study, say, sized

from gbaexplore import Study
from gbaexplore.basics.names import OK, STATUS
from gbaexplore.running.dispatch import queues
from gbaexplore.study.file import load_study
from gbaexplore.study.simulation import Simulation

sys.path.append(str(ROOT / "tests" / "support"))
from every_step import every_step

Results = list[dict[str, np.ndarray]]


def main() -> None:
    {"threads": threads, "early_end": early_end}[sys.argv[1]](load_study(map_study()))


def simulated(study: Study, workers: int, simulation: Simulation | None = None) -> tuple[float, Results]:
    """Return points per second with a number of threads, compiled before, and every queue's results."""
    simulation = simulation or study.simulation
    study.prepare(next(study.variants()))
    tasks = list(queues(study, list(range(len(study.blocks()))), lambda: workers))
    with ThreadPoolExecutor(workers) as pool:
        started = time.perf_counter()
        results = list(pool.map(lambda task: queue(simulation, task), tasks))
        return study.size / (time.perf_counter() - started), results


def queue(simulation: Simulation, task: list[int]) -> dict[str, np.ndarray]:
    """Return the results of blocks that are computed as one queue of points."""
    blocks = [simulation.blocks.all[i] for i in task]
    parts = [simulation.points(block) for block in blocks]
    points = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return simulation.run_points(simulation.variant_of(blocks[0]), points, sum(block.size for block in blocks))


def threads(study: Study) -> None:
    """One thread against two, in turns, the best of two each."""
    rates = {1: 0.0, 2: 0.0}
    for _ in range(sized(2, 1)):
        for workers in rates:
            rates[workers] = max(rates[workers], simulated(study, workers)[0])
    for workers, rate in rates.items():
        say(f"workers, map simulated, threads {workers}", f"{rate:,.0f} points/s")
    say("workers, two threads / one", f"{rates[2] / rates[1]:.2f}")
    tasks = queues(study, list(range(len(study.blocks()))), lambda: 2)
    seconds = [queue_seconds(study, task) for task in tasks]
    say("workers, seconds of each of two threads' queues, one after another", " ".join(f"{s:.2f}" for s in seconds))
    say("workers, two threads / one that these queues allow", f"{sum(seconds) / two_at_once(seconds):.2f}")


def queue_seconds(study: Study, task: list[int]) -> float:
    started = time.perf_counter()
    queue(study.simulation, task)
    return time.perf_counter() - started


def two_at_once(seconds: list[float]) -> float:
    """Return when two workers that take the next queue whenever they are free have done all."""
    free = [0.0, 0.0]
    for queue in seconds:
        free[free.index(min(free))] += queue
    return max(free)


def early_end(study: Study) -> None:
    """The whole map with points that end when they are settled or diverged, and with every step run."""
    early_rate, early = simulated(study, 2)
    full_rate, full = simulated(study, 2, every_step(study))
    say("early end, map simulated with two threads", f"{early_rate:,.0f} points/s")
    say("every step, map simulated with two threads", f"{full_rate:,.0f} points/s")
    say("early end / every step", f"{early_rate / full_rate:.2f}")
    say("early end, same status", all(np.array_equal(a[STATUS], b[STATUS]) for a, b in zip(early, full)))
    bounded = sum(int((b[STATUS] == OK).sum()) for b in full)
    same = all(same_bits(a, b) for a, b in zip(early, full))
    say(f"early end, same bits for every bounded point ({bounded:,})", same)


def same_bits(early: dict[str, np.ndarray], full: dict[str, np.ndarray]) -> bool:
    bounded = full[STATUS] == OK
    return all(early[name][bounded].tobytes() == full[name][bounded].tobytes() for name in full)


if __name__ == "__main__":
    main()
