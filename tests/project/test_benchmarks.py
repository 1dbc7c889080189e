"""Every group of benchmarks runs, at its smallest size: what `make bench` prints is there, whatever has changed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LONG_S = 600  # nothing here takes as long, unless it hangs; however busy the machine

sys.path.append(str(BENCHMARKS))  # last: one of its programs is called as a package is
try:
    from run import FIGURES
finally:
    sys.path.remove(str(BENCHMARKS))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks pin programs to cores"),
]

# What each group prints the values of; # is any number.
NAMES = {
    "map": """
        map, start to exit (best of #)
        map, peak memory (worst of #)
        map, whole process
        map, the command's own summary
        map, re-run when finished (best of #)
        BrainPy jit(vmap), # s with traces, batch of #, all cores, best
        map, processor time, start to exit
        map, whole process / BrainPy
        BrainPy jit(vmap), batch of #, in a second of one core
        map, whole process / BrainPy, processor time
    """,
    "kernel": """
        kernel, one core, every step, Peak (value and time)
        jit(vmap), straightforward, one core, every step
        kernel / jit(vmap), straightforward
        jit(vmap), straightforward, peaks agree with the kernel's to 1e-#
        jit(vmap), improved, one core, every step
        kernel / jit(vmap), improved
        jit(vmap), improved, peaks agree with the kernel's to 1e-#
        kernel, one core, every step, Final
        sgemm (NumPy, # x #), one core
        XLA's 29x29 @ 29x64, one core
        kernel, Peak, # operations a step
        kernel, Peak / sgemm (NumPy, # x #)
        kernel, Peak / XLA's 29x29 @ 29x64
        kernel, Final, # operations a step
        kernel, Final / sgemm (NumPy, # x #)
        kernel, Final / XLA's 29x29 @ 29x64
        kernel, # threads, every step, Peak (value and time)
        jit(vmap), straightforward, all cores, every step
        kernel, # threads / jit(vmap), straightforward, all cores
    """,
    "areas": """
        areas #, # lanes, kernel, a point's step
        areas #, # lanes, XLA's product, a point's
        areas #, kernel / product
        areas #, kernel with other lanes / with #
    """,
    "memory": """
        memory, # short points
        memory, ten times the points
    """,
    "size": """
        size, # short points planned, --dry-run
        size, # short points
        size, gbaexplore info of them
    """,
    "workers": """
        workers, map simulated, threads #
        workers, two threads / one
        workers, seconds of each of two threads' queues, one after another
        workers, two threads / one that these queues allow
        workers, map with threads, start to exit
        workers, map with threads, processor time
        workers, map with --workers #, start to exit
        workers, map with --workers #, processor time
        workers, --workers # / threads, start to exit
        workers, --workers # / threads, processor time
    """,
    "small": """
        fig. 2C, # points from the shell
        fig. 2C, # points from the shell, processor time
        fig. 2C, re-run when finished (best of #)
        re-run when finished, imports distributed
        re-run when finished, compiles
        --help (best of #)
    """,
    "early_end": """
        early end, map simulated with two threads
        every step, map simulated with two threads
        early end / every step
        early end, same status
        early end, same bits for every bounded point (#)
    """,
    "explorer": """
        explorer, a point simulated, median and longest of #
        explorer, click to time courses, median and longest of #
    """,
    "studies": """
        # points of Wilson-Cowan, # areas, whole run
        # points of Wilson-Cowan, # areas, NumPy, all points at once
        # points, NumPy / whole run
        # points, means agree to 2e-#
        # connectomes x # points
        as many of one connectome
        connectomes / one connectome
    """,
    "sensitivity": """
        derivatives with respect to # of the parameters, in simulations without
    """,
    "noise_delays": """
        step of ThresholdLinear, # points, one core
        step of ThresholdLinear with noise #, shared, # points, one core
        step of ThresholdLinear with noise #, independent, # points, one core
        step of DelayedThresholdLinear at # m/s, # points, one core
        step, with shared noise / without
        step, with independent noise / without
        step, with delays / without
    """,
    "brainpy": """
        ThresholdLinear, every step
        BrainPyModel, every step
        BrainPy's jit(vmap), every step
        BrainPyModel / ThresholdLinear
        BrainPyModel / BrainPy's jit(vmap)
    """,
    "scale": """
        scale, # points planned
        scale, blocks, points of each
        scale, one core
        scale, ms for a point, in each of the sampled blocks
        scale, store
        scale, a block looked at and written
        scale, # finished blocks reopened
        scale, a task with # threads at work
        scale, one of # idle workers
        scale, a start (Python, imports, the program compiled)
        scale, the map with # workers
        scale, predicted, # workers
        scale, predicted, # workers, blocks of # points
        scale, predicted, # workers, dispatch for nothing
    """,
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Warnings are errors, in every process; and what one process compiles serves the others."""
    # panel has some of its own; and what one process is writing another may read, and then compile itself.
    ignored = ["ignore::PendingDeprecationWarning", "ignore:Error reading persistent compilation cache entry"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", ",".join(["error", *ignored]))
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


def test_the_table_has_every_group():
    table = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(FIGURES)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("group", FIGURES)
def test_a_group_runs_and_prints_its_figures(group, tmp_path):
    command = [sys.executable, BENCHMARKS / "run.py", "--smallest", "--only", group]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LONG_S)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    lines = [re.fullmatch(r"(.+?): (.+)", line) for line in done.stdout.splitlines()]
    assert all(lines), done.stdout
    names = {re.sub(r"\b\d+(?:[,.]\d+)*\b", "#", line[1]) for line in lines}
    every = {"machine", "versions", f"{group}, cores busy with other work", "benchmark, total"}
    assert names == every | {line.strip() for line in NAMES.get(group, "").strip().splitlines()}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("environment")
def test_the_program_for_an_accelerator_runs():
    environment = os.environ | {"GBAEXPLORE_SMALLEST_BENCHMARKS": "1"}
    command = [sys.executable, BENCHMARKS / "gpu.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG_S)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "largest relative difference" in done.stdout
