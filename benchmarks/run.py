"""Print the project's figures, one `name: value` line each; ratios are to baselines measured in the same run."""

import argparse
import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

import whole
from shell import SMALLEST, program, say


def kernel() -> None:
    """One core, where a second thread would only be in the way; then all cores."""
    program("kernel.py", "one_core", NPROC="1", OPENBLAS_NUM_THREADS="1")
    program("kernel.py", "all_cores")


def areas() -> None:
    """Networks of 29 to 1,000 areas, on one core."""
    program("areas.py", NPROC="1", OPENBLAS_NUM_THREADS="1")


def workers() -> None:
    """Threads, and processes."""
    program("grid.py", "threads")
    whole.worker_processes()


def early_end() -> None:
    """What ending points early saves and leaves as it is."""
    program("grid.py", "early_end")


def explorer() -> None:
    """From a click to the time courses."""
    program("click.py")


def sensitivity() -> None:
    """What derivatives cost."""
    program("sensitivity.py", NPROC="1")


def studies() -> None:
    """Studies of few points: against NumPy, and with many connectomes."""
    program("small_studies.py", OPENBLAS_NUM_THREADS="1")


def noise_delays() -> None:
    """What noise costs, and what delays cost, on one core."""
    program("noise_delays.py", NPROC="1", OPENBLAS_NUM_THREADS="1")


def brainpy() -> None:
    """A BrainPy class through BrainPyModel."""
    program("brainpy_model.py")


def scale() -> None:
    """What a run on many workers is made of, and what that predicts for ten million points."""
    program("scale.py", NPROC="1", OPENBLAS_NUM_THREADS="1")


FIGURES = {
    "map": whole.propagation_map,
    "kernel": kernel,
    "areas": areas,
    "memory": whole.memory,
    "size": whole.size,
    "workers": workers,
    "small": whole.small_things,
    "early_end": early_end,
    "explorer": explorer,
    "sensitivity": sensitivity,
    "studies": studies,
    "noise_delays": noise_delays,
    "brainpy": brainpy,
    "scale": scale,
}


def machine() -> None:
    """What was measured on, and with what."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    say("machine", f"{os.cpu_count()} cores, {cpu[1] if cpu else platform.machine()}")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("jax", "jaxlib", "numpy", "brainpy")]
    say("versions", ", ".join([f"Python {platform.python_version()}", *versions]))


def measured(name: str, figure: Callable[[], None]) -> None:
    """Print a group of figures, and how busy others kept the machine meanwhile: near 0 if they are to be trusted."""
    started, busy, own = time.perf_counter(), busy_seconds(), sum(os.times()[:4])
    figure()
    others = busy_seconds() - busy - (sum(os.times()[:4]) - own)
    say(f"{name}, cores busy with other work", f"{max(0.0, others) / (time.perf_counter() - started):.2f}")


def busy_seconds() -> float:
    """Processor time that the machine has spent on anything: all but idle and iowait, of the first eight columns."""
    user, nice, system, _, _, irq, softirq, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=FIGURES, help="one group of figures (default: all)")
    parser.add_argument("--smallest", action="store_true", help="a few seconds each: whether they run, not how fast")
    args = parser.parse_args()
    if args.smallest:
        os.environ[SMALLEST] = "1"
    started = time.perf_counter()
    machine()
    for name, figure in FIGURES.items():
        if args.only in (None, name):
            measured(name, figure)
    say("benchmark, total", f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
