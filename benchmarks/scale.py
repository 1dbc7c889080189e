"""Ten million points of the map: what each part of a run costs here, and a model of a run on many workers from that.

Processor time is measured, not the clock: others' work on the machine lengthens the latter. `scale.py PICTURE`
also draws the predictions.
"""

import heapq
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import idle
import numpy as np
import psutil
from shell import HERE, command, gbaexplore, map_study, say, sized

from gbaexplore import Study
from gbaexplore.running import dispatch, runner
from gbaexplore.running.dispatch import queues
from gbaexplore.store import making, stores
from gbaexplore.study.file import load_study

WORKERS = (1, 3, 10, 30, 100, 300, 1000, 3000)
TOLD = (1, 10, 100, 1000)
SAMPLED, WRITTEN, DISPATCHED = sized((6, 50, 1000), (2, 2, 10))  # queues, blocks, tasks
THREADS, IDLE, IDLE_S = sized(((1, 10, 100), 8, 10), ((1,), 1, 1))  # of a worker; idle workers, and for how long
GRID = sized((2500, 2000), (100, 50))  # values along the axes of numbers: ten million points


@dataclass(frozen=True)
class Costs:
    """What the parts of a run take, s; of those that are in `points`, one after another on one core."""

    point: tuple[float, ...]  # of each sampled queue: for one of its points
    block: float  # looked at and written by a worker
    task: float  # at the scheduler
    outcome: float  # at the process that runs the study: half for sending it, half for hearing and recording it
    start: float  # of that process
    worker_start: float  # until it computes its first queue


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        study = planned(Path(folder))
        found = sampled(study, Path(folder))
        reopened(Path(folder))
        scheduler, outcome = dispatched(study, Path(folder))
    costs = Costs(*found, scheduler, outcome, *started())
    checked(costs)
    told(study, costs)
    if sys.argv[1:]:
        draw(study, costs, Path(sys.argv[1]))


# What is measured.


def finer(across: int, up: int, block_points: int | None = None) -> Study:
    """Return the map's study on a grid of other numbers of values; two feedbacks double its points."""
    axes = {"muEE": np.linspace(31, 53, across), "omegaEI": np.linspace(19, 26, up)}
    study = load_study(map_study())
    return replace(study, axes=study.axes | axes, block_points=block_points)


def cpu_seconds(process: psutil.Process | None = None) -> float:
    return sum((process or psutil.Process()).cpu_times()[:2])


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return a function's processor time and its result."""
    before = time.process_time()
    found = function()
    return time.process_time() - before, found


def planned(folder: Path) -> Study:
    """Plan ten million points; return their study."""

    def plan(study: Study) -> tuple[Study, list[list[int]]]:
        todo = runner.outstanding(study, folder / "none.zarr")
        return study, list(queues(study, todo.blocks, lambda: 100))

    plan(finer(250, 200))  # what it imports is not the plan's
    memory = psutil.Process().memory_info().rss
    seconds, (study, _) = timed(lambda: plan(finer(*GRID)))
    grown = (psutil.Process().memory_info().rss - memory) / 2**20
    say(f"scale, {study.size:,} points planned", f"{seconds:.2f} s, {grown:.1f} MiB")
    say("scale, blocks, points of each", f"{len(study.blocks()):,}, {np.prod(study.block_shape):,}")
    return study


def sampled(study: Study, folder: Path) -> tuple[tuple[float, ...], float]:
    """Compute and write blocks from all over the grid; return the cost of a point in each, and of writing a block."""
    path = folder / "sampled.zarr"
    making.create(path, study.template(), study.inputs())
    blocks = [study.blocks()[i] for i in np.linspace(0, len(study.blocks()) - 1, SAMPLED).astype(int)]
    for variant in {b.slices[-1].start: b for b in blocks}.values():
        study.prepare(study.variant_of(variant))
    points = []
    for block in blocks:
        whole = [np.ones([s.stop - s.start for s in block.slices], dtype=bool)]
        seconds, (arrays,) = timed(lambda block=block, whole=whole: study.run_blocks([block], whole))
        points.append(seconds / block.size)
        stores.write_block(path, block.slices, arrays)
    say("scale, one core", f"{1 / np.mean(points):,.0f} points/s")
    say("scale, ms for a point, in each of the sampled blocks", " ".join(f"{1e3 * s:.2f}" for s in sorted(points)))

    arrays_of = [path / name / "c" for name in stores.variables(path)]
    files = [f for array in arrays_of for f in array.rglob("*") if f.is_file()]
    per_block = len(files) / len(blocks)
    bytes_ = sum(f.stat().st_size for f in files) / sum(block.size for block in blocks)
    count = f"{per_block:.0f} files per block, {per_block * len(study.blocks()):,.0f} files"
    say("scale, store", f"{bytes_:.0f} B per point, {count}")
    return tuple(points), written(study, path, arrays, block)


def written(study: Study, path: Path, arrays: dict[str, np.ndarray], like: Any) -> float:
    """Return what a worker takes around the simulation of a block."""
    same, generation = [b for b in study.blocks() if b.size == like.size][:WRITTEN], stores.generation(path)

    def write() -> None:
        for block in same:
            making.made(path)
            with stores.bound(path, generation) as there:
                stores.unfinished(there, block.slices)
            with stores.bound(path, generation) as there:
                stores.write_block(there, block.slices, arrays)

    seconds = timed(write)[0] / len(same)
    say("scale, a block looked at and written", f"{seconds * 1e3:.1f} ms of processor time")
    return seconds


def reopened(folder: Path) -> None:
    """What going on in a store takes, of many blocks; only their status is looked at."""
    for block_points in (None, 1024):
        study = finer(*GRID, block_points)
        path = folder / f"{block_points}.zarr"
        making.create(path, study.template(), study.inputs())
        import zarr

        zarr.open_array(path / "status", mode="r+")[:] = 1
        seconds, todo = timed(lambda study=study, path=path: runner.outstanding(study, path))
        assert not todo.blocks
        say(f"scale, {len(study.blocks()):,} finished blocks reopened", f"{seconds:.2f} s of processor time")


@contextmanager
def scheduler(folder: Path, workers: int, threads: int, *options: str | Path) -> Iterator[tuple[str, psutil.Process]]:
    """Yield the address and the process of a real dask scheduler with workers."""
    import distributed

    file, bin_ = folder / "scheduler.json", Path(sys.executable).parent
    said = folder / "scheduler.log"
    where = ["--scheduler-file", file, "--no-dashboard"]
    with said.open("wb") as log:
        first = subprocess.Popen([bin_ / "dask", "scheduler", "--port", "0", *where], stderr=log)
    while not file.exists():  # a client would wait for it for ever
        if first.poll() is not None:
            raise RuntimeError(f"the scheduler ended with exit code {first.returncode}: {said.read_text()[-2000:]}")
        time.sleep(0.01)
    worker = [bin_ / "dask", "worker", *where, "--no-nanny", "--nthreads", str(threads), "--local-directory", folder]
    others = [subprocess.Popen([*worker, *options], stderr=subprocess.DEVNULL) for _ in range(workers)]
    try:
        with distributed.Client(scheduler_file=str(file), set_as_default=False, timeout=60) as client:
            client.wait_for_workers(workers, timeout=600)
            address = client.scheduler.address
        yield address, psutil.Process(first.pid)
    finally:
        for process in [*others, first]:
            process.terminate()
            process.wait()
        file.unlink(missing_ok=True)


def dispatched(study: Study, folder: Path) -> tuple[float, float]:
    """Return what a task costs the scheduler and the process that runs the study, when it does nothing."""
    found = []
    for threads in THREADS:
        few = min(2 * threads, DISPATCHED // 2)
        with scheduler(folder, 1, threads, "--preload", HERE / "idle.py") as (address, process):
            passed(study, folder, address, process, few)  # from now on all is imported and compiled
            begun, ended = (passed(study, folder, address, process, count) for count in (few, DISPATCHED))
        at_scheduler, own, clock = (ended - begun) / (DISPATCHED - few)
        found.append((at_scheduler, own))
        text = f"{1e3 * at_scheduler:.2f} ms at the scheduler, {1e3 * own:.2f} ms at the run"
        say(f"scale, a task with {threads} threads at work", f"{text} ({1 / clock:,.0f} tasks/s)")
    with scheduler(folder, IDLE, 1) as (_, process):
        before = cpu_seconds(process)
        time.sleep(IDLE_S)
        each = (cpu_seconds(process) - before) / IDLE_S / IDLE
        say(f"scale, one of {IDLE} idle workers", f"{each * 1e3:.2f} ms at the scheduler each second")
    return found[-1]


def passed(study: Study, folder: Path, address: str, process: psutil.Process, count: int) -> np.ndarray:
    """Run so many blocks, each a task; return the seconds of the scheduler, of this process and of the clock."""
    before = cpu_seconds(process), time.process_time(), time.perf_counter()
    with mock.patch.object(dispatch, "compute", idle.compute):
        report = runner.execute(study, folder, scheduler=address, only=list(range(count)))
    assert report.computed == count, report.errors
    return np.subtract((cpu_seconds(process), time.process_time(), time.perf_counter()), before)


def started() -> tuple[float, float]:
    """Return the processor time of a start: of a run on processes without its first block, and of a worker."""
    run = "import gbaexplore.running.runner, gbaexplore.running.cluster, distributed"
    first = [
        f"{run}; from gbaexplore.study.file import load_study as load",
        f"study = load({str(map_study())!r}); study.prepare(study.variant_of(study.blocks()[0]))",
    ]
    cpu = min(children(lambda: command(sys.executable, "-c", "\n".join(first), NPROC="1")) for _ in range(sized(2, 1)))
    say("scale, a start (Python, imports, the program compiled)", f"{cpu:.1f} s of processor time")
    return cpu, cpu


def children(function: Callable[[], Any]) -> float:
    """Return the processor time of the processes that a function starts and waits for."""
    before = os.times()
    function()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


# What is made of it.


def predicted(tasks: list[int], blocks: int, workers: int, costs: Costs) -> float:
    """Return how long a run takes, s: each worker has up to two tasks, and each task passes two queues on its way.

    These are the process that runs the study, which hears of a finished task and sends the next, and the scheduler;
    each does one thing at a time. The file system is as fast for many as for one.

    Args:
        tasks: points of each.
        blocks: of all of them.
    """
    draws = np.random.default_rng(0).choice(costs.point, len(tasks))
    write = costs.block * blocks / sum(tasks)
    sending = passing = costs.start
    free = [costs.start + costs.worker_start] * workers
    ends: list[float] = []
    for points, point in zip(tasks, draws):
        if len(ends) == 2 * workers:
            sending = max(sending, heapq.heappop(ends)) + costs.outcome / 2
        sending += costs.outcome / 2
        passing = max(passing, sending) + costs.task
        end = max(heapq.heappop(free), passing) + points * (point + write)
        heapq.heappush(free, end)
        heapq.heappush(ends, end)
    while ends:
        sending = max(sending, heapq.heappop(ends)) + costs.outcome / 2
    return sending


def of_study(study: Study, workers: int, costs: Costs) -> float:
    """Return how long a study takes, s, in the tasks that a run would make of it."""
    everything = list(range(len(study.blocks())))
    tasks = [sum(study.blocks()[i].size for i in task) for task in queues(study, everything, lambda: workers)]
    return predicted(tasks, len(everything), workers, costs)


def checked(costs: Costs) -> None:
    """The map itself, with one worker process and with two, as predicted and as it is."""
    study = load_study(map_study())
    for workers in sized((1, 2), (1,)):
        expected = of_study(study, workers, costs)
        clock, cpu = the_map(workers)
        say(
            f"scale, the map with {workers} workers",
            f"{expected:.1f} s predicted, {clock:.1f} s by the clock ({cpu:.1f} s of processor time)",
        )


def the_map(workers: int) -> tuple[float, float]:
    """Run the map with worker processes; return the seconds by the clock and of processor time."""
    with tempfile.TemporaryDirectory() as store:
        clock = time.perf_counter()
        cpu = children(lambda: gbaexplore("run", map_study(), "--store", store, "--workers", str(workers)))
        return time.perf_counter() - clock, cpu


def told(study: Study, costs: Costs) -> None:
    """Ten million points, as predicted."""
    alone = of_study(study, 1, costs)
    for workers in TOLD:
        seconds = of_study(study, workers, costs)
        share = alone / seconds / workers
        say(f"scale, predicted, {workers} workers", f"{seconds:,.0f} s, {share:.0%} of {workers} times one's speed")
    small = of_study(replace(study, block_points=1024), 1000, costs)
    slow = of_study(study, 1000, replace(costs, outcome=0.0, task=0.0))
    say("scale, predicted, 1000 workers, blocks of 1,024 points", f"{small:,.0f} s")
    say("scale, predicted, 1000 workers, dispatch for nothing", f"{slow:,.0f} s")


def draw(study: Study, costs: Costs, file: Path) -> None:
    """Draw the predicted speed-up over workers, for ten million points and for others."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
    ax.plot(WORKERS, WORKERS, color="0.6", linestyle="--", label="as many times as workers")
    grids = {"$10^5$": (250, 200), "$10^6$": (1000, 500), "$10^7$": (2500, 2000), "$10^8$": (10000, 5000)}
    for label, values in grids.items():
        of = finer(*values)
        alone = of_study(of, 1, costs)
        speed = [alone / of_study(of, workers, costs) for workers in WORKERS]
        ax.plot(WORKERS, speed, marker="o", markersize=4, label=f"{label} points")
    ax.set(xscale="log", yscale="log", xlabel="workers", ylabel="predicted speed, in one worker's")
    ax.axvspan(1, 2, color="0.92", zorder=0, label="the cores there were")
    ax.legend(frameon=False, fontsize=8)
    fig.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
