"""What a run would take: points, blocks, disk, memory and time, from one block that is timed and not kept."""

from __future__ import annotations

import math
import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gbaexplore import runner
from gbaexplore.study import Study


@dataclass(frozen=True)
class Forecast:
    """What a run of a study would take."""

    path: Path
    points: int
    to_do: int
    blocks: int
    block_points: int
    disk_bytes: int
    memory_bytes: int
    seconds: float

    def __str__(self) -> str:
        return "\n".join(
            [
                f"store        {self.path} (nothing is written now)",
                f"points       {self.points:,}, of which {self.to_do:,} are to be computed",
                f"blocks       {self.blocks:,} of at most {self.block_points:,} points",
                f"disk         {_bytes(self.disk_bytes)} before compression",
                f"peak memory  about {_bytes(self.memory_bytes)}",
                f"time         about {self.seconds:.1f} s, without the start (from one timed block)",
            ]
        )


def forecast(study: Study, folder: Path, workers: int | None = None) -> Forecast:
    """Return what `run` would take with threads in this process, or with a number of worker processes."""
    path = runner.store_path(study, folder)
    todo = runner.missing(study, path)
    blocks = study.blocks()
    lengths = {dim: len(values) for dim, (values, _) in study.coordinates().items()}
    item = np.dtype(study.precision).itemsize
    per_point = 1 + sum(item * math.prod(lengths[dim] for dim in v.dims) for v in study.variables.values())
    at_once = workers or os.cpu_count() or 1
    seconds = 0.0
    if todo:
        probe = blocks[todo[len(todo) // 2]]
        study.prepare(probe)
        started = time.monotonic()
        study.run_block(probe)
        seconds = (time.monotonic() - started) * math.ceil(len(todo) / at_once)
    most = math.prod(study.block_shape)
    here = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # A thread more holds one more block, in the program and on its way to the store; a process more, all of it.
    more = here * workers if workers else 2 * (at_once - 1) * most * per_point
    return Forecast(
        path=path,
        points=study.size,
        to_do=sum(blocks[i].size for i in todo),
        blocks=len(todo),
        block_points=most,
        disk_bytes=study.size * per_point,
        memory_bytes=here + more,
        seconds=seconds,
    )


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
