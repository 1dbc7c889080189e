"""Runs on a real dask scheduler, with workers in processes, folders and file systems of their own."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from grids import STUDY, same

from gbaexplore import UserError, load_study, open_study, run
from gbaexplore.running import worker

pytestmark = pytest.mark.slow

LONG_S = 600  # nothing here takes as long, unless it hangs; however busy the machine

# A study whose file needs another, and so can't be sent as one text.
BESIDE = STUDY.replace("import numpy as np\n", "import numpy as np\nfrom beside import measure\n", 1).replace(
    "[Peak(window=(1.75, 3.0))]", "[measure]"
)
MEASURE = """
from dataclasses import dataclass
from gbaexplore import Peak

@dataclass(frozen=True)
class Mine(Peak):
    pass

measure = Mine(window=(1.75, 3.0))
"""

unshares = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="a worker that sees other files than we do needs unshare(1), and the right to use it",
)


@pytest.fixture
def study_file(tmp_path):
    folder = tmp_path / "studies"
    folder.mkdir()
    path = folder / "grid.py"
    path.write_text(STUDY)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def by_command(study_file, store, scheduler):
    command = [Path(sys.executable).with_name("gbaexplore"), "run", study_file, "--store", store]
    return subprocess.run([*command, "--scheduler", scheduler], capture_output=True, text=True, timeout=LONG_S)


def wait_for(condition, what):
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not start in {LONG_S} s"
        time.sleep(0.05)


@pytest.fixture
def cluster(tmp_path):
    """Start a real `dask scheduler`, and workers when asked; give its address and a function that starts one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file, log = elsewhere / "scheduler.json", elsewhere / "worker.log"

    with contextlib.ExitStack() as stack:

        def start(*command, said=subprocess.DEVNULL):
            process = subprocess.Popen(list(map(str, command)), cwd=elsewhere, stdout=said, stderr=said)
            stack.callback(process.wait, LONG_S)
            stack.callback(process.terminate)

        def add_worker(before="pass", hide=None):
            """Start a worker that first runs some Python; in place of the folder `hide` it sees an empty one."""
            code = f"{before}\nfrom dask.__main__ import main\nmain()"
            options = ["--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
            command = [sys.executable, "-c", code, "worker", "--scheduler-file", file, *options]
            if hide is not None:
                command = [
                    "unshare",
                    "--mount",
                    "sh",
                    "-c",
                    f'mount -t tmpfs none "{hide}" && exec "$@"',
                    "-",
                    *command,
                ]
            with log.open("wb") as said:
                start(*command, said=said)
            wait_for(lambda: "Registered to" in log.read_text(), "a worker")

        scheduler = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        start(*scheduler, "--scheduler-file", file)
        wait_for(lambda: file.exists() and file.read_text().endswith("}"), "a scheduler")
        yield json.loads(file.read_text())["address"], add_worker


def refused(done, store, *words):
    """The command has said in one line why it did not run, and has computed nothing."""
    assert done.returncode == 2, done.stdout + done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("gbaexplore: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in line
    if (store / "grid.zarr").exists():
        assert (open_study(store / "grid.zarr").status == 0).all()


def test_no_scheduler_at_the_address(study_file, tmp_path):
    done = by_command(study_file, tmp_path / "store", f"tcp://127.0.0.1:{free_port()}")
    assert done.stderr.startswith("gbaexplore: no dask scheduler with a worker answers at ")
    refused(done, tmp_path / "store")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "store").exists()


def test_workers_find_the_study_by_its_path(study_file, tmp_path, cluster):
    address, add_worker = cluster
    add_worker()
    done = by_command(study_file, tmp_path / "remote", address)
    assert done.returncode == 0, done.stderr
    same(open_study(tmp_path / "remote" / "grid.zarr"), run(load_study(study_file), store=tmp_path / "threads"))


@unshares
def test_a_worker_that_does_not_see_the_study_gets_it_sent(study_file, tmp_path, cluster):
    address, add_worker = cluster
    study_file.write_text(BESIDE)
    study_file.with_name("beside.py").write_text(MEASURE)
    add_worker(hide=study_file.parent)
    done = by_command(study_file, tmp_path / "remote", address)
    assert done.returncode == 0, done.stderr
    same(open_study(tmp_path / "remote" / "grid.zarr"), run(load_study(study_file), store=tmp_path / "threads"))


@unshares
def test_a_worker_that_does_not_see_the_store(study_file, tmp_path, cluster):
    address, add_worker = cluster
    (tmp_path / "remote").mkdir()
    add_worker(hide=tmp_path / "remote")
    done = by_command(study_file, tmp_path / "remote", address)
    refused(done, tmp_path / "remote", "the dask worker at tcp://127.0.0.1:", "does not see", "grid.zarr")


def test_a_worker_without_the_package(study_file, tmp_path, cluster):
    address, add_worker = cluster
    add_worker(before="import sys; sys.modules['gbaexplore'] = None")
    refused(by_command(study_file, tmp_path / "remote", address), tmp_path / "remote", "lacks a package", "gbaexplore")


def test_a_worker_with_other_versions(study_file, tmp_path, cluster):
    address, add_worker = cluster
    add_worker(
        before="import importlib.metadata as m; real = m.version; "
        "m.version = lambda name: '0.1' if name == 'jaxlib' else real(name)"
    )
    done = by_command(study_file, tmp_path / "remote", address)
    refused(done, tmp_path / "remote", "jaxlib 0.1 instead of ", "install the same versions")


def test_a_worker_that_remembers_another_version_of_a_module(study_file, tmp_path, cluster):
    """It was imported before any study file, by the worker's own set-up, and is not imported again."""
    address, add_worker = cluster
    beside = study_file.with_name("beside.py")
    study_file.write_text(BESIDE)
    doubled = "def finish(self, acc, rest, run): return {n: 2 * v for n, v in super().finish(acc, rest, run).items()}"
    beside.write_text(MEASURE.replace("    pass", f"    {doubled}"))
    add_worker(before=f"import sys; sys.path.insert(0, {str(study_file.parent)!r}); import beside")
    beside.write_text(MEASURE)
    done = by_command(study_file, tmp_path / "remote", address)
    refused(
        done, tmp_path / "remote", "the dask worker at tcp://127.0.0.1:", "has other code", "start the worker again"
    )


def test_a_worker_that_outlives_a_version_of_a_module_imports_the_new_one(study_file, tmp_path, cluster):
    address, add_worker = cluster
    beside = study_file.with_name("beside.py")
    study_file.write_text(BESIDE)
    beside.write_text(MEASURE)
    add_worker()
    assert by_command(study_file, tmp_path / "one", address).returncode == 0
    doubled = "def finish(self, acc, rest, run): return {n: 2 * v for n, v in super().finish(acc, rest, run).items()}"
    beside.write_text(MEASURE.replace("    pass", f"    {doubled}"))
    assert by_command(study_file, tmp_path / "two", address).returncode == 0
    one, two = (open_study(tmp_path / name / "grid.zarr") for name in ("one", "two"))
    ok = (one.status == 1).values
    np.testing.assert_array_equal(two.peak_rate.values[ok], 2 * one.peak_rate.values[ok])


def test_a_study_file_that_changes_while_it_runs_is_refused(study_file, monkeypatch):
    monkeypatch.setattr(worker, "_me", lambda: "the dask worker")
    monkeypatch.setitem(os.environ, "NPROC", "1")
    source = worker.source_of(load_study(study_file), "")
    study_file.write_text(STUDY + "# edited\n")
    with pytest.raises(UserError, match="has changed since the run was started"):
        worker.loaded(source, None)


def test_what_can_not_be_sent(make_study):
    lock = threading.Lock()
    study = make_study(derived={"omegaEI": lambda muEE: 19.7 + 0 * muEE * lock.locked()}, axes={"muEE": [30.0]})
    with pytest.raises(UserError, match="can't be sent to workers"):
        worker.pickled(study)
