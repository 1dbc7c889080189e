"""Faults for real: processes of the command are killed, their disk fills up, their workers and schedulers go away."""

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr
from forked import Forked

from gbaexplore import load_study, open_study
from gbaexplore.running import runner
from gbaexplore.store import integrity, stores

pytestmark = pytest.mark.slow

COMMAND = str(Path(sys.executable).with_name("gbaexplore"))
DASK = [sys.executable, "-m", "dask"]
LONG_S = 600.0  # nothing here takes as long, unless it hangs; however busy the machine

# What it does beside computing is told by the environment, which is no part of a study: its results, its hash of
# the code and so its store are the same whatever is asked for. Sleeping, it leaves the cores to the other tests.
STUDY = """
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
from gbaexplore import Peak, Pulse, SpectralAbscissa, Study, ThresholdLinear, load_connectome

macaque = load_connectome("macaque29")


def fault(what):
    if what == "raise":
        raise ZeroDivisionError("too strong")
    if what == "die" and multiprocessing.parent_process() is not None:
        os._exit(3)
    if what == "linger":
        Path(os.environ["REACHED"]).touch()
        time.sleep(8)


class Paced(SpectralAbscissa):
    def compute(self, model, points, connectome):
        time.sleep(len(points) * float(os.environ.get("PACE", "0")))
        while not connectome.name.endswith("x 0.7") and Path(os.environ.get("HOLD", "")).is_file():
            time.sleep(0.02)
        if any(p.muEE < 32 for p in points):
            fault(os.environ.get("FAULT"))
        return {"spectral_abscissa": np.array([p.muEE * p.omegaEI for p in points])}


class Waiting(Peak):
    def init(self, change, run):
        # Traced once in each run: after the run has looked what is to be done, and before it has the store's lock.
        if "WAIT" in os.environ:
            Path(os.environ["REACHED"]).touch()
            while not Path(os.environ["WAIT"]).exists():
                time.sleep(0.02)
        return super().init(change, run)


study = Study(
    name="grid",
    model=ThresholdLinear(),
    axes={
        "muEE": np.linspace(31, 53, 6),
        "omegaEI": np.linspace(19, 26, 20),
        "pathways": {f"{factor:g}": macaque.scaled(factor) for factor in np.linspace(0.7, 1, 8)},
    },
    fixed={"eta": 0.68},
    stimulus=Pulse(area="V1", onset=0.1, duration=0.1, amplitude=40.0),
    measures=[Waiting(window=(0.05, 0.3)), Paced()],
    duration=0.4,
    block_points=20,
)
"""
POINTS = 960
WIDE = STUDY.replace("np.linspace(31, 53, 6)", "np.linspace(31, 53, 11)").replace(
    "np.linspace(19, 26, 20)", "np.append(np.linspace(19, 26, 20), 27)"
)
OTHER = STUDY.replace('fixed={"eta": 0.68}', 'fixed={"eta": 0.6}')
# In one queue of its blocks there are some that fail and some that do not.
SINGLE = STUDY.replace("np.linspace(31, 53, 6)", "np.linspace(31, 53, 12)").replace("(0.7, 1, 8)", "(1, 1, 1)")


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """Let JAX keep what it compiles: a hundred processes need not all do it again, which is most of their start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Study files of one store's name: of a grid, of a wider one, of another study, of a grid with one label."""
    folder = tmp_path_factory.mktemp("studies")
    for name, text in {"grid": STUDY, "wide": WIDE, "other": OTHER, "single": SINGLE}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def loaded(studies):
    """The studies of these files, by name; each is loaded once, and so compiled once."""
    return functools.cache(lambda name: load_study(studies / f"{name}.py"))


@pytest.fixture(scope="module")
def whole(loaded, tmp_path_factory):
    """The chunks of uninterrupted runs, by name."""
    folder = tmp_path_factory.mktemp("whole")

    def chunks_of(name):
        assert runner.execute(loaded(name), folder / name).complete
        return chunks(folder / name / "grid.zarr")

    return functools.cache(chunks_of)


@pytest.fixture
def finish(loaded, whole):
    """Run a study to its end: only what was missing is computed, and the store is as if nothing had happened."""

    def finished(name, store):
        path, study = store / "grid.zarr", loaded(name)
        missing = study.size - done_points(path)
        assert missing > 0
        report = runner.execute(study, store)
        assert report.complete
        assert report.computed == missing
        assert_same(path, whole(name))
        assert_sound(path)

    return finished


def chunks(path):
    """The bytes of every array's chunks. A write that was cut off leaves a temporary file, which nothing reads."""
    files = [file for file in path.glob("*/c/**/*") if file.is_file() and file.suffix != ".partial"]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def assert_same(path, expected):
    found = chunks(path)
    assert sorted(found) == sorted(expected)
    assert not [name for name in expected if found[name] != expected[name]]


def environment(settings):
    return {**os.environ, "PACE": "0.002", **{name: str(value) for name, value in settings.items()}}


def command(*args, **settings):
    """Run the command to its end."""
    pipes = dict(capture_output=True, text=True, timeout=LONG_S)
    return subprocess.run([COMMAND, *map(str, args)], env=environment(settings), **pipes)


def start(*args, **settings):
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # A session of its own, so that a signal to its group reaches its workers and not us.
    return subprocess.Popen([COMMAND, *map(str, args)], env=environment(settings), start_new_session=True, **pipes)


@pytest.fixture
def launch():
    """Start the command; what is left of it and of its workers at the end of the test is killed."""
    started = []

    def launched(*args, **settings):
        started.append(start(*args, **settings))
        return started[-1]

    yield launched
    for process in started:
        end_tree(process)


def end_tree(process):
    left = children(process)
    process.kill()  # first: it may replace a worker that dies
    for child in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.communicate(timeout=LONG_S)
    _, alive = psutil.wait_procs(left, timeout=LONG_S)
    assert not alive


def children(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def workers(process):
    """The worker processes of a run or of a `dask worker`: not the helper that multiprocessing starts beside them."""
    found = []
    for child in children(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def wait_for(condition, what, seconds=LONG_S):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {seconds:g} s"
        time.sleep(0.01)


@pytest.fixture
def hold(tmp_path):
    """A file: as long as it is there, a run that is told of it computes the first pathways' blocks, and no others."""
    file = tmp_path / "hold"
    file.touch()
    return file


def under_way(process, path):
    """Wait until a run has written its first block."""

    def written():
        assert process.poll() is None, f"ended too soon: {process.communicate()}"
        return any(file.is_file() for file in path.glob("status/c/**/*"))

    wait_for(written, "a first block")


def ended(process):
    """Wait for a run's end; its exit code, and what it said on stderr apart from how far it was."""
    _, stderr = process.communicate(timeout=LONG_S)
    return process.returncode, said(stderr)


def said(stderr):
    return [line for line in stderr.splitlines() if not re.match(r"[\d,]+/[\d,]+ points  ", line)]


def assert_one_line(lines, *words):
    assert len(lines) == 1, "\n".join(lines)
    assert lines[0].startswith("gbaexplore: ")
    for word in words:
        assert word in lines[0]


def done_points(path):
    if not path.exists():
        return 0
    state = stores.status(path)
    return int(((state == 1) | (state == 2)).sum())


def assert_sound(path):
    """Nothing but what a killed run may leave over, which nothing reads."""
    if path.exists():
        assert [str(finding) for finding in integrity.check(path) if not finding.harmless] == []


# 1. The process that writes is killed.

KILLS = 16  # in each of two chains


def seen(store):
    """What a run changes in its folder as it goes: a new store beside the old one, and chunks."""
    staged = {path.name for path in store.glob(".grid.zarr.*.partial")}
    # Other than glob, walk does not mind that another store takes the place of what it walks through.
    walked = os.walk(store / "grid.zarr" / "peak_rate" / "c")
    return staged | {os.path.join(folder, file) for folder, _, files in walked for file in files}


def killed(study, store, rng):
    """Start a run and kill it: at a random moment, or just when something new is in its folder; whether it was."""
    before, store_before = seen(store), done_points(store / "grid.zarr")
    process = Forked(["run", study, "--store", store], environment({}), log=store)
    try:
        if rng.random() < 0.4:
            process.wait(rng.uniform(0.1, 2.0))
        else:
            # The first thing new is a new store, if there is to be one.
            new = 1 if rng.random() < 0.3 else rng.integers(2, 12)
            wait_for(lambda: process.poll() is not None or len(seen(store) - before) >= new, "anything new")
            time.sleep(rng.uniform(0, 0.1))
        process.kill()
        code, lines = ended(process)
    finally:
        end_tree(process)
    assert code in (0, -signal.SIGKILL), lines
    assert lines == []
    assert_sound(store / "grid.zarr")
    assert done_points(store / "grid.zarr") >= store_before, "what was finished is kept"
    return code != 0


def chain(folder, studies, sizes, whole, seed):
    """Kill runs of a grid, then of a wider one over its store, and of others, until it is enough."""
    rng, kills, cut = np.random.default_rng(seed), 0, {"grid": 0, "wide": 0}
    while kills < KILLS:
        store = folder / f"{seed}-{kills}"
        for name in ("grid", "wide"):
            study = studies / f"{name}.py"
            while kills < KILLS and killed(study, store, rng):
                kills += 1
                cut[name] += 0 < done_points(store / "grid.zarr") < sizes[name]
            if kills == KILLS:
                done = command("run", study, "--store", store)
                assert done.returncode == 0, done.stderr
            assert_same(store / "grid.zarr", whole[name])
            assert_sound(store / "grid.zarr")
    return cut


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(studies, loaded, whole, tmp_path):
    expected = {name: whole(name) for name in ("grid", "wide")}
    sizes = {name: loaded(name).size for name in expected}
    for name in expected:
        # Uninterrupted, and by the command too. It also leaves what JAX compiles, which a kill could cut off.
        assert command("run", studies / f"{name}.py", "--store", tmp_path / name).returncode == 0
        assert_same(tmp_path / name / "grid.zarr", expected[name])
    with ThreadPoolExecutor() as pool:
        chains = [pool.submit(chain, tmp_path, studies, sizes, expected, seed) for seed in (1, 2)]
        for found in [future.result() for future in chains]:
            # Else the kills missed what they are for.
            assert min(found.values()) >= 2, found


def test_killed_with_its_worker_process_left_alone(studies, loaded, whole, launch, tmp_path):
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--workers", "1", PACE=0.02)
    under_way(process, tmp_path / "grid.zarr")
    left = workers(process)
    assert len(left) == 1
    process.kill()
    try:
        # While it is still there, another run starts: one of both computes what is missing.
        assert runner.execute(loaded("grid"), tmp_path).complete
        _, alive = psutil.wait_procs(left, timeout=LONG_S)
        assert not alive, "a worker without its run ends"
        assert_same(tmp_path / "grid.zarr", whole("grid"))
    finally:
        for worker in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()


# 2. Workers and schedulers are killed.


@pytest.fixture
def cluster(tmp_path, hold):
    """A `dask scheduler` and two `dask worker` with nannies, on hold; the processes and the address."""
    folder, started = tmp_path / "cluster", []
    folder.mkdir()

    def begin(*args):
        with (folder / f"{len(started)}.log").open("wb") as log:
            quiet = dict(cwd=folder, stdout=log, stderr=log, env=environment({"HOLD": hold}))
            started.append(subprocess.Popen([*DASK, *args, "--host", "127.0.0.1", "--no-dashboard"], **quiet))

    def registered():
        return all("Registered to" in (folder / f"{i}.log").read_text() for i in (1, 2))

    try:
        file = folder / "scheduler.json"
        begin("scheduler", "--port", "0", "--scheduler-file", str(file))
        wait_for(lambda: file.exists() and file.read_text().endswith("}"), "a scheduler")
        for _ in range(2):
            begin("worker", "--scheduler-file", str(file), "--nthreads", "1")
        wait_for(registered, "two workers")
        yield started, json.loads(file.read_text())["address"]
    finally:
        for process in started:
            end_tree(process)


def test_a_worker_process_is_killed(studies, whole, launch, tmp_path, hold):
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--workers", "2", HOLD=hold)
    under_way(process, tmp_path / "grid.zarr")
    victim, _ = workers(process)
    victim.kill()
    assert done_points(tmp_path / "grid.zarr") < POINTS, "in mid-run"
    hold.unlink()
    code, lines = ended(process)
    assert code == 0, lines
    assert "Traceback" not in "".join(lines)
    assert_same(tmp_path / "grid.zarr", whole("grid"))


def test_a_worker_process_falls_asleep(studies, whole, launch, tmp_path, hold):
    """For longer than dask waits for a worker's sign of life: its blocks are others' then, and its own do no harm."""
    ttl = dict(DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="2 s")
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--workers", "2", HOLD=hold, **ttl)
    under_way(process, tmp_path / "grid.zarr")
    sleeper, _ = workers(process)
    sleeper.suspend()
    time.sleep(6)
    hold.unlink()
    time.sleep(6)
    with contextlib.suppress(psutil.NoSuchProcess):  # dask may have ended it
        sleeper.resume()
    code, lines = ended(process)
    assert code == 0, lines
    assert "Traceback" not in "".join(lines)
    assert_same(tmp_path / "grid.zarr", whole("grid"))


def test_a_worker_process_is_killed_while_it_starts(studies, launch, tmp_path):
    """As by a machine that has no memory left: the run does without it, or says so."""
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--workers", "2")
    wait_for(lambda: workers(process), "a worker process")
    workers(process)[0].kill()
    code, lines = ended(process)
    assert code in (0, 2), lines
    if code == 2:
        assert_one_line(lines, "worker")


def test_a_dask_worker_is_killed(studies, whole, launch, tmp_path, cluster, hold):
    (_, worker, _), address = cluster
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--scheduler", address)
    under_way(process, tmp_path / "grid.zarr")
    (victim,) = workers(worker)
    victim.kill()
    assert done_points(tmp_path / "grid.zarr") < POINTS, "in mid-run"
    hold.unlink()
    assert ended(process) == (0, [])
    assert_same(tmp_path / "grid.zarr", whole("grid"))


def test_the_scheduler_is_killed(studies, finish, launch, tmp_path, cluster):
    (scheduler, *others), address = cluster
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--scheduler", address)
    under_way(process, tmp_path / "grid.zarr")
    scheduler.kill()
    assert done_points(tmp_path / "grid.zarr") < POINTS, "in mid-run"
    code, lines = ended(process)
    assert code not in (0, None)
    assert_one_line(lines, "scheduler")
    for worker in others:
        end_tree(worker)  # they finish what they are at, also without a scheduler: then nobody could count
    assert_sound(tmp_path / "grid.zarr")
    finish("grid", tmp_path)


def assert_only_these_failed(path):
    """The points that FAULT is for; all others are done."""
    state = open_study(path).status
    np.testing.assert_array_equal(state.isel(muEE=0), 3)
    assert set(np.unique(state.isel(muEE=slice(1, None)))) <= {1, 2}


# Of a task that its worker does not survive; dask's own number of deaths takes twice as long.
GIVE_UP_SOON = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": 1}


def test_a_block_that_kills_its_worker_each_time(studies, finish, tmp_path):
    study, path = studies / "single.py", tmp_path / "grid.zarr"
    done = command("run", study, "--store", tmp_path, "--workers", "2", FAULT="die", **GIVE_UP_SOON)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "failed: " in done.stdout
    assert_only_these_failed(path)
    finish("single", tmp_path)


# 3. Ctrl-C.


def test_interrupted_while_a_block_takes_long(studies, finish, launch, tmp_path):
    reached = tmp_path / "reached"
    process = launch("run", studies / "single.py", "--store", tmp_path, FAULT="linger", REACHED=reached)
    wait_for(reached.exists, "the block that takes long")
    os.killpg(process.pid, signal.SIGINT)
    code, lines = ended(process)
    assert code == 130, lines
    assert_one_line(lines, "interrupted", "the same command goes on from there")
    finish("single", tmp_path)


def test_interrupted_while_it_compiles(studies, launch, tmp_path):
    """It is not waited for: here it never ends."""
    reached = tmp_path / "reached"
    never = {"WAIT": tmp_path / "never", "REACHED": reached}
    process = launch("run", studies / "grid.py", "--store", tmp_path / "store", **never)
    wait_for(reached.exists, "the program that takes long")
    os.killpg(process.pid, signal.SIGINT)
    code, lines = ended(process)
    assert code == 130, lines
    assert_one_line(lines, "interrupted", "no point was finished yet")


def test_interrupted_in_haste(studies, finish, launch, tmp_path, hold):
    """Ctrl-C again and again, while the first is being seen to."""
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--workers", "1", HOLD=hold)
    under_way(process, tmp_path / "grid.zarr")
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.1)
    hold.unlink()
    code, lines = ended(process)
    assert code == 130, lines
    assert_one_line(lines, "interrupted")
    finish("grid", tmp_path)


def test_interrupted_behind_a_scheduler(studies, loaded, whole, launch, tmp_path, cluster, hold):
    _, address = cluster
    process = launch("run", studies / "grid.py", "--store", tmp_path, "--scheduler", address)
    under_way(process, tmp_path / "grid.zarr")
    os.killpg(process.pid, signal.SIGINT)
    code, lines = ended(process)
    assert code == 130, lines
    assert_one_line(lines, "interrupted")
    assert done_points(tmp_path / "grid.zarr") < POINTS, "in mid-run"
    hold.unlink()
    # The workers may still be at it, so what there is to do is not told beforehand.
    assert runner.execute(loaded("grid"), tmp_path).complete
    assert_same(tmp_path / "grid.zarr", whole("grid"))


# 4. and 5. The disk is full, or is no longer to be written to.

needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="a file system of its own can only be mounted by root"
)


@contextlib.contextmanager
def mounted(place, *options):
    done = subprocess.run(["mount", *options, place], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: were a run still at it after a failed assertion, the mount would stay.
        subprocess.run(["umount", "--lazy", place], check=True)


def tmpfs(place):
    place.mkdir()
    return mounted(place, "-t", "tmpfs", "-o", "size=64m", "tmpfs")


def leave_room(place, kib):
    """Make a tmpfs as large as what it holds, and a little larger."""
    has = os.statvfs(place)
    size = (has.f_blocks - has.f_bfree) * has.f_frsize // 1024 + kib
    subprocess.run(["mount", "-o", f"remount,size={size}k", place], check=True)


def read_only(place):
    """What is opened from now on is read-only. A remount would be refused: the run has its lock open for writing."""
    return mounted(place, "--bind", "-o", "ro", place)


@needs_mount
def test_the_disk_is_full_in_mid_run(studies, loaded, finish, tmp_path):
    store = tmp_path / "disk"
    with tmpfs(store):
        runner.execute(loaded("grid"), store, only=[0])
        leave_room(store, 120)  # of 4 KiB for each of 4 x 47 chunks
        full = command("run", studies / "grid.py", "--store", store)
        assert full.returncode == 2, full.stderr
        assert_one_line(said(full.stderr), "can't be written to", "No space left", "finished blocks are kept")
        assert_sound(store / "grid.zarr")
        assert 20 <= done_points(store / "grid.zarr") < POINTS
        leave_room(store, 9999)
        finish("grid", store)


@needs_mount
def test_the_disk_is_too_small_for_another_grid(studies, loaded, whole, tmp_path):
    store = tmp_path / "disk"
    with tmpfs(store):
        runner.execute(loaded("grid"), store)
        leave_room(store, 300)
        full = command("run", studies / "wide.py", "--store", store)
        assert full.returncode == 2, full.stderr
        assert_one_line(said(full.stderr), "can't be written to", "No space left")
        assert os.listdir(store) == ["grid.zarr"], "nothing takes up space beside it"
        assert_same(store / "grid.zarr", whole("grid"))
        leave_room(store, 9999)
        done = command("run", studies / "wide.py", "--store", store)
        assert done.returncode == 0, done.stderr
        assert f"{POINTS:,} carried over" in done.stdout
        assert_same(store / "grid.zarr", whole("wide"))


@needs_mount
@pytest.mark.parametrize(
    ("part", "args"), [("", ("--workers", "1")), ("grid.zarr/status/history.jsonl", ())], ids=["all", "history"]
)
def test_the_folder_becomes_read_only_in_mid_run(studies, finish, launch, tmp_path, hold, part, args):
    """All of it, or the one file that the coordinating process writes."""
    store = tmp_path / "store"
    process = launch("run", studies / "grid.py", "--store", store, *args, HOLD=hold)
    under_way(process, store / "grid.zarr")
    with read_only(store / part):
        assert done_points(store / "grid.zarr") < POINTS, "in mid-run"
        hold.unlink()
        code, lines = ended(process)
        assert code == 2, lines
        assert_one_line(lines, "can't be written to", "Read-only file system")
        assert_sound(store / "grid.zarr")
    finish("grid", store)


# 6. A block raises.


def test_a_block_raises(studies, finish, tmp_path):
    path = tmp_path / "grid.zarr"
    done = command("run", studies / "single.py", "--store", tmp_path, FAULT="raise")
    assert done.returncode == 1, done.stderr
    assert said(done.stderr) == []
    assert_only_these_failed(path)
    info = command("info", path).stdout
    assert "20 failed" in info
    assert re.search(r"failed: ZeroDivisionError: too strong \(.*single\.py, line \d+\)", info)
    times = {file: file.stat().st_mtime_ns for file in path.glob("*/c/**/*") if file.is_file()}
    finish("single", tmp_path)
    touched = {str(file.relative_to(path)) for file in times if file.stat().st_mtime_ns != times[file]}
    assert touched == {"status/c/0/0/0"}, "a failed block has nothing but its status"
    assert "failed: " not in command("info", path).stdout


# 9. Names.


def test_folders_with_spaces_and_letters_of_other_alphabets(whole, tmp_path):
    folder = tmp_path / "Zoë's étude  №1" / "结果 (neu)"
    folder.mkdir(parents=True)
    study, store = folder / "größe - 1.py", folder / "Ablage für 'x'"
    study.write_text(STUDY.replace('name="grid"', 'name="größe"'))
    done = command("run", study, "--store", store, "--workers", "1")
    assert done.returncode == 0, done.stderr
    path = store / "größe.zarr"
    assert_same(path, whole("grid"))
    assert command("info", path).stdout.startswith(f"{path}: größe\n")
    checked = command("check", path)
    assert (checked.returncode, checked.stdout) == (0, f"{path}: 0 damaged, 0 left over\n")
    again = command("run", study, "--store", store)
    assert again.returncode == 0
    assert "nothing was left to do" in again.stdout


# 10. Two at once.


def test_two_runs_at_once(studies, finish, launch, tmp_path, hold):
    store = tmp_path / "store"
    first = launch("run", studies / "grid.py", "--store", store, HOLD=hold)
    under_way(first, store / "grid.zarr")
    second = command("run", studies / "grid.py", "--store", store)
    assert first.poll() is None
    assert second.returncode == 2
    assert_one_line(said(second.stderr), f"is being written by process {first.pid} on ", "wait for it, or stop it")
    first.kill()
    first.communicate(timeout=LONG_S)
    assert (store / ".grid.zarr.lock").exists(), "a dead process' lock"
    finish("grid", store)
    assert sorted(os.listdir(store)) == ["grid.zarr"]


@contextlib.contextmanager
def late(launch, study, store, folder):
    """A run that has looked at its store, and takes its lock only after the block: others may be quicker."""
    reached, go = folder / "reached", folder / "go"
    process = launch("run", study, "--store", store, REACHED=reached, WAIT=go)
    wait_for(reached.exists, "the run's start")
    yield process
    go.touch()
    code, lines = ended(process)
    assert code in (0, 2), lines
    if code == 2:
        assert_one_line(lines)


def test_a_grid_that_another_run_has_changed_meanwhile(studies, loaded, whole, launch, tmp_path):
    """Both have seen the old grid: the second must not carry the new one's points over as if they were the old."""
    wide, store = studies / "wide.py", tmp_path / "store"
    runner.execute(loaded("grid"), store)
    with late(launch, wide, store, tmp_path):
        assert runner.execute(loaded("wide"), store).complete
    assert_same(store / "grid.zarr", whole("wide"))


def test_a_grid_that_another_run_has_changed_in_part(studies, loaded, whole, launch, tmp_path):
    """The second knows only the old grid: its positions are others in the new one."""
    wide, store = loaded("wide"), tmp_path / "store"
    runner.execute(loaded("grid"), store, only=[0])
    with late(launch, studies / "grid.py", store, tmp_path):
        runner.execute(wide, store, only=[0])
    runner.execute(wide, store)
    assert_same(store / "grid.zarr", whole("wide"))


def test_another_study_that_has_taken_the_place_meanwhile(studies, loaded, launch, tmp_path):
    store = tmp_path / "store"
    with late(launch, studies / "grid.py", store, tmp_path) as process:
        runner.execute(loaded("other"), store, only=[0])
        before = chunks(store / "grid.zarr")
    assert process.returncode == 2
    assert_same(store / "grid.zarr", before)


# 11. Readers.


def opened(path, reader):
    """The state of the points, and then, of those that are ok, the values: in that order, as a run is writing."""
    with reader(path) as ds:
        ok = ds.status.load() == 1
        return ok, {name: ds[name].load() for name in ds.data_vars if name != "status"}


def test_a_reader_sees_only_what_is_finished(studies, launch, tmp_path):
    path = tmp_path / "grid.zarr"
    process = launch("run", studies / "grid.py", "--store", tmp_path, PACE=0.02)
    readers = [open_study, lambda path: xr.open_zarr(path, consolidated=False)]
    wait_for(path.exists, "a store")
    polls = []
    while process.poll() is None:
        polls += [opened(path, reader) for reader in readers]
    assert ended(process)[0] == 0
    final = open_study(path).load()
    assert len({int(ok.sum()) for ok, _ in polls} - {0, int((final.status == 1).sum())}) >= 3, "polled in mid-run"
    for ok, values in polls:
        for name, array in values.items():
            seen = array.where(ok, drop=False).transpose(*final[name].dims)
            there = ok.broadcast_like(array).transpose(*final[name].dims).values
            assert np.isfinite(seen.values[there]).all()
            np.testing.assert_array_equal(seen.values[there], final[name].values[there], err_msg=name)
