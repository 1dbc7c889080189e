"""Forecast of a run: points, blocks, disk, memory and time, from a few blocks that are computed and thrown away."""

from __future__ import annotations

import math
import os
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gbaexplore.basics.errors import printable
from gbaexplore.running import runner
from gbaexplore.store import stores
from gbaexplore.store.regrid import Extension
from gbaexplore.study.study import Study


@dataclass(frozen=True)
class Forecast:
    """The forecast of a study's run."""

    path: Path
    points: int
    to_do: int
    change: Extension | None  # of the store's grid
    blocks: int
    block_points: int
    disk_bytes: int
    memory_bytes: int
    seconds: float
    probes: int

    def __str__(self) -> str:
        lines = [
            f"store        {self.path} (nothing is written now)",
            f"points       {self.points:,}, of which {self.to_do:,} are to be computed",
        ]
        if self.change:
            lines += [f"grid         changed: {self.change}"]
        if self.to_do:
            lines += [
                f"blocks       {self.blocks:,} of at most {self.block_points:,} points",
                f"disk         about {_bytes(self.disk_bytes)}",
                f"peak memory  about {_bytes(self.memory_bytes)}",
                f"time         about {self.seconds:.1f} s, from {self.probes} timed blocks",
            ]
        return "\n".join(map(printable, lines))


def forecast(study: Study, store: Path, workers: int | None = None, shrink: bool = False) -> Forecast:
    """Return the forecast of `run` with threads in this process, or with a number of worker processes.

    A queue that is no longer than it need be is computed by each worker, all at once, into a temporary folder.

    Raises:
        UserError: as `run` does.
    """
    path = runner.store_path(study, store)
    todo = runner.outstanding(study, path, shrink)
    blocks = todo.study.blocks()
    threads = workers or os.cpu_count() or 1
    each = todo.study.shared_by(threads).fewest_blocks
    firsts = range(0, len(todo.blocks), each)
    firsts = firsts[:: math.ceil(len(firsts) / threads) or 1]
    probes = [i for first in firsts for i in todo.blocks[first : first + each]]
    seconds, disk = 0.0, 0
    if probes:
        with tempfile.TemporaryDirectory() as temporary:
            report = runner.execute(todo.study, Path(temporary), workers, only=probes)
            values = [report.path / name for name in stores.variables(report.path)]
            written, whole = sum(map(_size, values)), _size(report.path)
        probed = sum(blocks[i].size for i in probes)
        seconds = report.start_seconds + (report.seconds - report.start_seconds) * max(1, todo.points / probed)
        # Labels and a table's parameters are already stored for all points.
        disk = whole - written + round(written / probed * study.size)
    return Forecast(
        path=path,
        points=study.size,
        to_do=todo.points,
        change=todo.change,
        blocks=len(todo.blocks),
        block_points=math.prod(todo.study.block_shape),
        disk_bytes=disk,
        memory_bytes=_peak_memory(resource.RUSAGE_SELF) + (workers or 0) * _peak_memory(resource.RUSAGE_CHILDREN),
        seconds=seconds,
        probes=len(probes),
    )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("c/**/*") if file.is_file())


def _peak_memory(who: int) -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(who).ru_maxrss * unit


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
