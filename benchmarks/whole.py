"""Figures of the whole program, from the shell: what a user waits for, and how much memory it takes."""

import re
import sys
import tempfile
from pathlib import Path

from shell import HERE, Finished, command, gbaexplore, map_study, say, sized

FIG2C = """
import numpy as np
from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome

macaque = load_connectome("macaque29")
study = Study(
    name="fig2c",
    model=ThresholdLinear(),
    axes={"muEE": np.arange(28, 43, 2), "feedback": {"on": macaque, "off": macaque.without_feedback()}},
    fixed={"omegaEI": 19.7},
    stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=21.8 * 1.9),
    measures=[Peak(window=(1.75, 5.0))],
)
"""

# 250 steps a point: the memory of the points is looked at here, not their integration.
SHORT = """
import numpy as np
from gbaexplore import Peak, Pulse, Study, ThresholdLinear, load_connectome

study = Study(
    name="short",
    model=ThresholdLinear(),
    axes={"muEE": np.linspace(31, 53, COUNT), "omegaEI": np.linspace(19, 26, 204)},
    connectome=load_connectome("macaque29"),
    stimulus=Pulse(area="V1", onset=0.0, duration=0.025, amplitude=22.05 * 1.9),
    measures=[Peak()],
    duration=0.05,
)
"""


def propagation_map() -> None:
    """The map from start to exit, nothing cached, against BrainPy run as the notebook runs it."""
    first, again, times = [], [], sized(3, 1)
    for _ in range(times):
        with tempfile.TemporaryDirectory() as store:
            first.append(gbaexplore("run", map_study(), "--store", store))
            again.append(gbaexplore("run", map_study(), "--store", store))
    run = min(first, key=lambda run: run.seconds)
    rate = run.points / run.seconds
    say(f"map, start to exit (best of {times})", f"{run.seconds:.2f} s")
    say(f"map, peak memory (worst of {times})", f"{max(run.peak_mib for run in first):.0f} MiB")
    say("map, whole process", f"{rate:,.0f} points/s")
    processor = min(run.processor for run in first)
    say("map, processor time, start to exit", f"{processor:.2f} s")
    for line in run.output.splitlines():
        if re.search(r"points:|computed in", line):
            say("map, the command's own summary", line)
    say(f"map, re-run when finished (best of {times})", f"{min(run.seconds for run in again):.2f} s")

    batch = sized(64, 2)
    brainpy, of_a_core = map(float, command(sys.executable, HERE / "brainpy_rate.py", str(batch)).output.split())
    say(f"BrainPy jit(vmap), 10 s with traces, batch of {batch}, all cores, best", f"{brainpy:.1f} points/s")
    say("map, whole process / BrainPy", f"{rate / brainpy:.1f}")
    say(f"BrainPy jit(vmap), batch of {batch}, in a second of one core", f"{of_a_core:.1f} points")
    say("map, whole process / BrainPy, processor time", f"{run.points / processor / of_a_core:.1f}")


def memory() -> None:
    """Peak memory of a study and of one with ten times the points, both large enough for the largest blocks."""
    small, large = (_short_study(count) for count in sized((320, 3200), (2, 20)))
    for run in (small, large):
        say(f"memory, {run.points:,} short points", f"{run.peak_mib:.0f} MiB ({run.seconds:.1f} s)")
    say("memory, ten times the points", f"{large.peak_mib / small.peak_mib:.3f}")


def _short_study(count: int) -> Finished:
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "short.py")
        study.write_text(SHORT.replace("COUNT", str(count)))
        return gbaexplore("run", study, "--store", folder)


def size() -> None:
    """A million short points: planned (with --dry-run, which times blocks too), computed, looked at."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "short.py")
        study.write_text(SHORT.replace("COUNT", str(sized(4902, 20))))
        planned = gbaexplore("run", study, "--store", folder, "--dry-run")
        run = gbaexplore("run", study, "--store", folder)
        say(f"size, {run.points:,} short points planned, --dry-run", f"{planned.seconds:.1f} s")
        say(f"size, {run.points:,} short points", f"{run.seconds:.1f} s, {run.peak_mib:.0f} MiB")
        told = gbaexplore("info", Path(folder, "short.zarr"))
        say("size, gbaexplore info of them", f"{told.seconds:.2f} s")


def worker_processes() -> None:
    """The map with threads, with one worker process and with two, start included."""
    counts, took = sized((None, 1, 2), (None, 2)), {}
    for workers in counts:
        with tempfile.TemporaryDirectory() as store:
            asked = () if workers is None else ("--workers", str(workers))
            took[workers] = gbaexplore("run", map_study(), "--store", store, *asked)
        how = "threads" if workers is None else f"--workers {workers}"
        say(f"workers, map with {how}, start to exit", f"{took[workers].seconds:.2f} s")
        say(f"workers, map with {how}, processor time", f"{took[workers].processor:.2f} s")
    say("workers, --workers 2 / threads, start to exit", f"{took[2].seconds / took[None].seconds:.2f}")
    say("workers, --workers 2 / threads, processor time", f"{took[2].processor / took[None].processor:.2f}")
    if 1 in took:  # not at the smallest size
        say("workers, 1 process / 2 processes, start to exit", f"{took[1].seconds / took[2].seconds:.2f}")


def small_things() -> None:
    """A small study, a finished one, and --help."""
    times, help_times = sized((3, 5), (1, 1))
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder, "fig2c.py")
        study.write_text(FIG2C)
        arguments = ("run", study, "--store", folder)
        first = gbaexplore(*arguments)
        again = min(gbaexplore(*arguments).seconds for _ in range(times))
        # What Python imports and what JAX compiles, by their own word.
        watched = gbaexplore(*arguments, PYTHONPROFILEIMPORTTIME="1", JAX_LOG_COMPILES="1").errors
    say(f"fig. 2C, {first.points} points from the shell", f"{first.seconds:.2f} s")
    say(f"fig. 2C, {first.points} points from the shell, processor time", f"{first.processor:.2f} s")
    say(f"fig. 2C, re-run when finished (best of {times})", f"{again:.2f} s")
    say("re-run when finished, imports distributed", bool(re.search(r"\| +distributed$", watched, re.MULTILINE)))
    say("re-run when finished, compiles", "Compiling" in watched)
    shortest = min(gbaexplore("--help").seconds for _ in range(help_times))
    say(f"--help (best of {help_times})", f"{shortest:.3f} s")
