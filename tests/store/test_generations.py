"""No block is written outside the generation of the store that it was planned for: the worker is late, or the store is
changed, replaced, moved or removed under its hands."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import zarr

from gbaexplore import Peak, Study, UserError, load_study, open_study, run
from gbaexplore.running import runner, worker
from gbaexplore.store import integrity, making, provenance, stores
from gbaexplore.store import lock as locks
from gbaexplore.store.regrid import extend, extension

pytestmark = pytest.mark.slow

COMMAND = str(Path(sys.executable).with_name("gbaexplore"))
LONG_S = 600.0  # nothing here takes as long, unless it hangs; however busy the machine
SHORT = dict(measures=[Peak(window=(1.75, 2.3))])
REPLACED = r"small\.zarr has been replaced since the run was started, or removed; expected the store as it was"

# As long as there is the file that the environment names, and a store beside it, it is in its block, and says so by
# another file.
HELD = """
import os
import time
from pathlib import Path
import numpy as np
from gbaexplore import Pulse, SpectralAbscissa, Study, ThresholdLinear, load_connectome


class Held(SpectralAbscissa):
    def compute(self, model, points, connectome):
        hold = Path(os.environ.get("HOLD", ""))
        while hold.is_file() and hold.with_name("store").is_dir():
            Path(f"{hold}ing").touch()
            time.sleep(0.02)
        return {"spectral_abscissa": np.array([p.muEE for p in points])}


study = Study(
    name="small",
    model=ThresholdLinear(),
    connectome=load_connectome("macaque29"),
    axes={"muEE": np.linspace(20, 27, 8)},
    stimulus=Pulse(area="V1", onset=0.1, duration=0.1, amplitude=40.0),
    measures=[Held()],
)
"""
OTHER_GRID = HELD.replace("np.linspace(20, 27, 8)", "np.linspace(24, 31, 8)")


def wait_for(condition, what):
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {LONG_S:g} s"
        time.sleep(0.01)


def contents(path):
    """The bytes of every file of a store but its lock."""
    files = [file for file in path.rglob("*") if file.is_file() and file.name != "writing.lock"]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def assert_true_to(study, path, tmp_path):
    """The store is complete, sound, and what a run of its own gives."""
    assert integrity.check(path) == []
    there, fresh = open_study(path).load(), run(study, store=tmp_path / "fresh").load()
    for name in fresh.variables:
        np.testing.assert_array_equal(there[name].values, fresh[name].values, err_msg=name)


# 1. A worker that outlives its run.


@pytest.fixture
def cluster(tmp_path):
    """A `dask scheduler` and a `dask worker` of one thread, on hold; the address."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    (tmp_path / "hold").touch()
    file, log = folder / "scheduler.json", folder / "worker.log"
    with contextlib.ExitStack() as stack:

        def start(said, *args):
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *args], cwd=folder, stdout=said, stderr=said,
                env={**os.environ, "HOLD": str(tmp_path / "hold"), "NPROC": "1"},
            )  # fmt: skip
            stack.callback(process.wait, LONG_S)
            stack.callback(process.kill)

        start(subprocess.DEVNULL, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
              "--scheduler-file", file)  # fmt: skip
        wait_for(lambda: file.exists() and file.read_text().endswith("}"), "a scheduler")
        start(stack.enter_context(log.open("wb")), "worker", "--scheduler-file", file, "--host", "127.0.0.1",
              "--nthreads", "1", "--no-dashboard", "--no-nanny")  # fmt: skip
        wait_for(lambda: "Registered to" in log.read_text(), "a worker")
        yield json.loads(file.read_text())["address"]


def test_a_worker_outlives_its_run_and_the_grid(cluster, tmp_path):
    file, hold, path = tmp_path / "held.py", tmp_path / "hold", tmp_path / "store" / "small.zarr"
    file.write_text(HELD)
    command = [COMMAND, "run", file, "--scheduler", cluster, "--store", path.parent, "--shrink"]
    with contextlib.ExitStack() as stack:

        def start():
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        killed = start()
        wait_for((tmp_path / "holding").exists, "a block")
        killed.kill()
        killed.wait()
        before = stores.generation(path)
        file.write_text(OTHER_GRID)
        second = start()
        wait_for(lambda: second.poll() is not None or stores.generation(path) != before, "another grid")
        hold.unlink()  # what the worker has finished now is of the first grid; the second run's block comes after it
        _, said = second.communicate(timeout=LONG_S)
    assert second.returncode == 0, said
    assert_true_to(load_study(file), path, tmp_path)


# 2. A cell of a notebook that is interrupted.


def test_an_interrupted_cell_computes_on(make_study, tmp_path, monkeypatch):
    first = make_study(axes={"muEE": [30.0, 31.0]}, **SHORT)
    second = make_study(axes={"muEE": [32.0, 33.0]}, **SHORT)
    reached, go, late = threading.Event(), threading.Event(), []
    real = Study.run_blocks

    def simulated(study, *args):
        found = real(study, *args)
        if study.axes["muEE"][0] == 30.0:
            reached.set()
            go.wait(LONG_S)
            late.append(threading.current_thread())
        return found

    def interrupt():
        reached.wait(LONG_S)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Study, "run_blocks", simulated)
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        runner.execute(first, tmp_path)
    thread.join()
    # The next cell: another grid of the same study, which is interrupted too before it computes.
    path = runner.store_path(second, tmp_path)
    with making.locked(path):
        runner._prepare_store(path, runner.outstanding(second, path, shrink=True), runner.Report(path, 2))
    before = contents(path)
    go.set()
    wait_for(lambda: late and not late[0].is_alive(), "the end of the first cell's thread")
    assert contents(path) == before
    assert runner.execute(second, tmp_path).computed == 2
    assert_true_to(second, path, tmp_path)


# 3. The store is removed, or another one is put in its place, while a run is at it.


def remove(path, make_study):
    shutil.rmtree(path)


def replace(path, make_study):
    """By another study's store of the same name."""
    shutil.rmtree(path)
    other = make_study(axes={"muEE": [40.0, 41.0]}, **SHORT)
    making.create(path, other.template(), other.inputs())


def cut_otherwise(path, make_study):
    """By the same study's, in other blocks."""
    shutil.rmtree(path)
    other = make_study(axes={"muEE": [30.0, 31.0]}, block_points=1, **SHORT)
    making.create(path, other.template(), other.inputs())


def begun(make_study):
    """A study of one block: nothing but what is looked at is going on."""
    return make_study(axes={"muEE": [30.0, 31.0]}, **SHORT)


@pytest.fixture
def meddle(make_study, tmp_path):
    """A function that does something to the store, once, and what is there then."""
    path, after = tmp_path / "small.zarr", []

    def meddled(what):
        if not after:
            what(path, make_study)
            after.append(contents(path))

    return path, after, meddled


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("what", [remove, replace, cut_otherwise])
def test_while_a_block_is_computed(make_study, tmp_path, monkeypatch, meddle, what, raises):
    path, after, meddled = meddle
    real = Study.run_blocks

    def simulated(*args):
        found = real(*args)
        meddled(what)
        if raises:
            raise ZeroDivisionError("too strong")
        return found

    monkeypatch.setattr(Study, "run_blocks", simulated)
    with pytest.raises(UserError, match=REPLACED):
        runner.execute(begun(make_study), tmp_path)
    assert contents(path) == after[0], "also the history"
    assert path.exists() == (what is not remove)


@pytest.mark.parametrize("what", [remove, replace])
def test_while_the_run_marks_what_it_has_lost(make_study, tmp_path, monkeypatch, meddle, what):
    path, after, meddled = meddle

    def device():
        meddled(what)
        raise ZeroDivisionError("no device")  # outside of what a worker records by itself

    parts = types.SimpleNamespace(software=provenance.software, device=device)
    monkeypatch.setattr(worker, "provenance", parts)
    with pytest.raises(UserError, match=REPLACED):
        runner.execute(begun(make_study), tmp_path)
    assert contents(path) == after[0]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open folders have no names of their own here")
@pytest.mark.parametrize("what", [remove, replace])
def test_while_a_block_is_written(make_study, tmp_path, monkeypatch, meddle, what):
    """The generation has been looked at, and the first variable's chunk is on the way."""
    path, after, meddled = meddle
    real = zarr.Array.__setitem__

    def written(self, *args):
        if self.basename == "time_to_peak":
            meddled(what)
        real(self, *args)

    monkeypatch.setattr(zarr.Array, "__setitem__", written)
    with pytest.raises(UserError, match=REPLACED):
        runner.execute(begun(make_study), tmp_path)
    assert contents(path) == after[0]
    assert path.exists() == (what is not remove)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open folders have no names of their own here")
def test_a_store_that_is_moved_keeps_what_was_on_the_way(make_study, tmp_path, monkeypatch):
    study, elsewhere = begun(make_study), tmp_path / "moved" / "small.zarr"
    elsewhere.parent.mkdir()
    real = zarr.Array.__setitem__

    def written(self, *args):
        if self.basename == "time_to_peak" and not elsewhere.exists():
            os.rename(tmp_path / "small.zarr", elsewhere)
        real(self, *args)

    monkeypatch.setattr(zarr.Array, "__setitem__", written)
    with pytest.raises(UserError, match=REPLACED):
        runner.execute(study, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["moved"]
    assert_true_to(study, elsewhere, tmp_path)


# 4. A worker that hangs in mid-write.

STOPPED = """
import os, signal, sys
import zarr
from gbaexplore import load_study
from gbaexplore.store import making, stores
from gbaexplore.running import worker
from pathlib import Path

real = zarr.Array.__setitem__

def stopped(self, *args):
    if self.basename == "status":
        os.kill(os.getpid(), signal.SIGSTOP)
    real(self, *args)

zarr.Array.__setitem__ = stopped
study, path = load_study(sys.argv[1]), Path(sys.argv[2])
source = worker.source_of(study, stores.generation(path))
worker.HERE[source.key] = study
worker.compute(source, str(path), [0])
"""


@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_a_worker_is_stopped_in_mid_write(tmp_path, monkeypatch, end):
    monkeypatch.setattr(locks, "_PATIENCE_S", 0.2)
    file, path = tmp_path / "held.py", tmp_path / "store" / "small.zarr"
    file.write_text(HELD)
    study = load_study(file)
    making.create(path, study.template(), study.inputs())
    file.with_name("other.py").write_text(OTHER_GRID)
    other = load_study(tmp_path / "other.py")
    process = subprocess.Popen([sys.executable, "-c", STOPPED, file, path])
    try:
        os.waitpid(process.pid, os.WUNTRACED)
        before = contents(path)
        with pytest.raises(UserError, match=r"a worker is still writing to .*small\.zarr, .*wait for it, or stop it"):
            runner.execute(other, path.parent, shrink=True)
        with pytest.raises(UserError, match=r"a worker is still writing to .*small\.zarr"):
            integrity.repair(path, [])
        assert contents(path) == before
        assert sorted(os.listdir(path.parent)) == ["small.zarr"]
        process.send_signal(end)
        assert process.wait(LONG_S) == (0 if end == signal.SIGCONT else -end)
        # What it had finished is carried over, if the new grid has it.
        assert runner.execute(other, path.parent, shrink=True).computed == (4 if end == signal.SIGCONT else 8)
        assert_true_to(other, path, tmp_path)
    finally:
        process.kill()
        process.wait()


# 5. Whoever comes first: workers of any age, changes of the grid, `rm -rf`.

WORKERS = """
import sys, time
from pathlib import Path
import numpy as np
import zarr
from gbaexplore import UserError
from gbaexplore.store import making, stores
sys.path.insert(0, sys.argv[3])
from test_generations import truth

path, rng = Path(sys.argv[1]), np.random.default_rng(int(sys.argv[2]))
real = zarr.Array.__setitem__

def slow(self, *args):
    time.sleep(rng.exponential(0.03))
    real(self, *args)

def planned():
    while True:
        try:
            generation = stores.generation(path)
            with stores.bound(path, generation) as there:
                labels, shape = zarr.open_array(there / "muEE", mode="r")[:], stores.block_shape(there)
                start = shape[0] * int(rng.integers(-(-len(labels) // shape[0])))
                block = (slice(start, min(start + shape[0], len(labels))),)
                return generation, block, truth(labels[block]), stores.unfinished(there, block)
        except Exception:
            time.sleep(0.01)  # there is none just now

zarr.Array.__setitem__ = slow
counts = [0, 0]
while not Path(sys.argv[4]).exists():
    generation, block, arrays, todo = planned()
    time.sleep(rng.exponential(0.1))
    try:
        with stores.bound(path, generation) as there:
            if rng.random() < 0.1:
                stores.mark_failed(there, block, todo & stores.unfinished(there, block))
            else:
                stores.write_block(there, block, {name: array[todo] for name, array in arrays.items()}, todo)
        counts[0] += 1
    except UserError as error:
        assert "has been replaced" in str(error)
        counts[1] += 1
print(*counts)
"""
STRESS_S = 6.0


def truth(labels):
    """What these tests take for results: they tell whose they are."""
    rates = (1000 * labels[:, None] + np.arange(29)).astype(np.float32)
    return {"peak_rate": rates, "time_to_peak": -rates, "status": np.ones(len(labels), np.uint8)}


def assert_true(path):
    """What is ok is true; the state comes first, as workers are writing."""
    group = zarr.open_group(path, mode="r")
    ok = group["status"][:] == 1
    for name, values in truth(group["muEE"][:]).items():
        np.testing.assert_array_equal(group[name][:][ok], values[ok], err_msg=name)
    return int(ok.sum())


def remove_by_force(path):
    """As `rm -rf` does, again if need be: a worker may put a chunk into a folder that it is just emptying."""
    while path.exists():
        shutil.rmtree(path, ignore_errors=True)


def test_whoever_comes_first_no_value_is_at_another_point(make_study, tmp_path):
    rng = np.random.default_rng(1)
    labels = [rng.choice(np.arange(20.0, 60.0), size, replace=False) for size in (20, 20, 20, 23)]
    studies = [make_study(axes={"muEE": some}, block_points=5, **SHORT) for some in labels]
    grids = [(study.recipe(), study.template()) for study in studies]
    path, done = tmp_path / "store" / "small.zarr", tmp_path / "done"
    words = [sys.executable, "-c", WORKERS, path]
    workers = [
        subprocess.Popen([*words, str(seed), Path(__file__).parent, done], stdout=subprocess.PIPE, text=True)
        for seed in (1, 2)
    ]
    try:
        end, carried, removed = None, 0, 0
        while end is None or time.monotonic() < end:
            assert [process.poll() for process in workers] == [None, None]
            if path.exists() and rng.random() < 0.2:
                remove_by_force(path)
                removed += 1
                assert not path.exists()
            stopped = workers[rng.integers(2)]
            if rng.random() < 0.5:
                stopped.send_signal(signal.SIGSTOP)
                threading.Timer(0.1, stopped.send_signal, [signal.SIGCONT]).start()
            recipe, template = grids[rng.integers(len(grids))]
            with making.locked(path):
                if not path.exists():
                    making.create(path, template)
                else:
                    change = extension(path, stores.recipe(path), recipe, template, shrink=True)
                    extend(path, template, {}, change)
                    carried += change.carried
            time.sleep(rng.uniform(0, 0.1))
            if assert_true(path) and end is None:  # the workers have started
                end = time.monotonic() + STRESS_S
        done.touch()
        counts = [process.communicate(timeout=LONG_S)[0].split() for process in workers]
        assert [process.returncode for process in workers] == [0, 0]
    finally:
        for process in workers:
            process.kill()
            process.communicate()
    assert_true(path)
    assert all(finding.harmless for finding in integrity.check(path))
    written, refused = np.array(counts, int).sum(axis=0)
    assert min(written, refused, carried, removed) > 0, "else it was no test"


# 6. A run that is asleep, as on a laptop that is closed.


@contextlib.contextmanager
def asleep(file, path, hold, *args):
    """A run that has begun its block, and is stopped; at the end it goes on."""
    hold.touch()
    command = [COMMAND, "run", file, "--store", path.parent, *args]
    pipes = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    process = subprocess.Popen(command, env={**os.environ, "HOLD": str(hold)}, **pipes)
    try:
        wait_for(hold.with_name("holding").exists, "a block")
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
        hold.unlink()
        os.killpg(process.pid, signal.SIGCONT)
        process.said = process.communicate(timeout=LONG_S)[1]
    finally:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.communicate()


@pytest.mark.parametrize("args", [(), ("--workers", "1")])
def test_a_run_that_is_asleep_keeps_others_out(tmp_path, args):
    file, path = tmp_path / "held.py", tmp_path / "store" / "small.zarr"
    file.write_text(HELD)
    refused = pytest.raises(UserError, match=r"is being written by process \d+ on .*; wait for it, or stop it")
    with asleep(file, path, tmp_path / "hold", *args) as process, refused as error:
        runner.execute(load_study(file), path.parent)
    assert f"process {process.pid} on" in str(error.value)
    assert process.returncode == 0, process.said
    assert os.listdir(path.parent) == ["small.zarr"]
    assert_true_to(load_study(file), path, tmp_path)


def test_a_run_that_is_asleep_and_has_lost_its_lock(tmp_path, monkeypatch):
    """Somebody has removed it, and runs the study with another grid: nothing of the first lands there."""
    file, path, lock = tmp_path / "held.py", tmp_path / "store" / "small.zarr", tmp_path / "store" / ".small.zarr.lock"
    file.write_text(HELD)
    (tmp_path / "other.py").write_text(OTHER_GRID)
    with asleep(file, path, tmp_path / "hold") as process:
        lock.unlink()
        other = load_study(tmp_path / "other.py")
        assert runner.execute(other, path.parent, shrink=True).computed == 8
        after = contents(path)
        stopped = making.locked(path)
        stopped.__enter__()
    try:
        assert process.returncode == 2
        assert "has been replaced since the run was started" in process.said
        assert contents(path) == after
        assert lock.exists(), "it is another run's now"
        assert_true_to(other, path, tmp_path)
    finally:
        stopped.__exit__(None, None, None)
    assert os.listdir(path.parent) == ["small.zarr"]
