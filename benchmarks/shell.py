"""Running a command and saying what it took; printing a figure; how large what is measured is.

`run.py` and its modules import neither NumPy nor JAX: on Linux a process' peak memory starts at what its parent
held when it was started, so a large parent would be measured in place of a small child.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

HERE = Path(__file__).parent
ROOT = HERE.parent
SMALLEST = "GBAEXPLORE_SMALLEST_BENCHMARKS"  # in the environment, which reaches every program

Size = TypeVar("Size")


def sized(usual: Size, smallest: Size) -> Size:
    """Return the size to measure with; with `run.py --smallest` the one that only shows that a program runs."""
    return smallest if SMALLEST in os.environ else usual


def map_study() -> Path:
    """Return the study file of the propagation map."""
    return sized(ROOT / "studies" / "gba_grid.py", HERE / "small_map.py")


def best(function: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the shortest of two or more runs in seconds: the others compiled, or were disturbed.

    By `time.process_time`, the processor time of all threads, other programs disturb little.
    """
    seconds = []
    for _ in range(sized(repeats, 1)):
        started = clock()
        function()
        seconds.append(clock() - started)
    return min(seconds)


class Finished(NamedTuple):
    """What a command took and wrote."""

    seconds: float
    processor: float  # seconds of all threads and of processes that it started
    peak_mib: float  # of the process itself
    output: str
    errors: str

    @property
    def points(self) -> int:
        """How many points the closing summary of `gbaexplore run` counts."""
        return int(re.search(r"([\d,]+) points:", self.output)[1].replace(",", ""))


def command(*args: str | Path, **environment: str) -> Finished:
    """Run a command to its end; leave with what it wrote if it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(args, stdout=out, stderr=err, env=_environment(environment))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        finished = Finished(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read(), err.read())
    if process.returncode:
        sys.exit(f"{' '.join(map(str, args))} ended with {process.returncode}:\n{finished.output}{finished.errors}")
    return finished


def gbaexplore(*args: str | Path, **environment: str) -> Finished:
    """Run the command line that is installed beside this Python, as a shell would."""
    return command(Path(sys.executable).parent / "gbaexplore", *args, **environment)


def program(name: str, *args: str, **environment: str) -> None:
    """Run a program of this folder that prints figures of its own; leave if it fails."""
    ended = subprocess.run([sys.executable, HERE / name, *args], env=_environment(environment)).returncode
    if ended:
        sys.exit(f"{' '.join([name, *args])} ended with {ended}")


def say(name: str, value: object) -> None:
    """Print one figure, at once: the programs of this folder print to the same place."""
    print(f"{name}: {value}", flush=True)


def _environment(more: dict[str, str]) -> dict[str, str]:
    """The environment, without a cache of compiled programs: nothing that is measured may come from one."""
    left_out = sized({"JAX_COMPILATION_CACHE_DIR"}, set())
    return {k: v for k, v in os.environ.items() if k not in left_out} | more
