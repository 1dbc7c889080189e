"""Stores in an object store: a real S3 service over HTTP, on loopback."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import xarray as xr
from grids import HELD, STUDY, same

from gbaexplore import Study, UserError, load_study, open_study, run
from gbaexplore.basics.places import place
from gbaexplore.running import runner
from gbaexplore.store import lock as locks
from gbaexplore.store import making, stores

s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server", reason="the S3 service that the tests run is moto's")

# Libraries that a client of S3 needs say that they themselves are out of date.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:unclosed:ResourceWarning"),
]
# Every chunk is a request or two, and what matters is that there are several.
SMALL = STUDY.replace("31, 53, 48)", "31, 53, 12)").replace("19, 26, 60)", "19, 26, 15)")
WIDER = SMALL.replace("np.linspace(31, 53, 12)", "np.append(np.linspace(31, 53, 12), 54.0)")


@pytest.fixture(scope="module")
def s3():
    """The environment of a process that uses the service; this one's has it too."""
    service = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    service.start()
    host, port = service.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # one that an earlier test has made has no credentials
        place("s3://bucket").mkdir()
        yield {**os.environ, **environment}
    service.stop()


@pytest.fixture
def folder(s3, request):
    return f"s3://bucket/{request.node.name}"


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "grid.py"
    path.write_text(SMALL)
    return path


def command(*words, **kwargs):
    return subprocess.run(
        [Path(sys.executable).with_name("gbaexplore"), *map(str, words)], capture_output=True, text=True, **kwargs
    )


@pytest.mark.parametrize("workers", [[], ["--workers", "1"]])
def test_a_run_from_the_shell(study_file, tmp_path, folder, s3, workers):
    done = command("run", study_file, "--store", folder, *workers, env=s3)
    assert done.returncode == 0, done.stderr
    assert f"result: {folder}/grid.zarr" in done.stdout
    assert "nothing was left to do" in command("run", study_file, "--store", folder, env=s3).stdout
    whole = run(load_study(study_file), store=tmp_path)
    same(open_study(f"{folder}/grid.zarr"), whole)
    same(xr.open_zarr(f"{folder}/grid.zarr", consolidated=False), whole)
    told = command("info", f"{folder}/grid.zarr", env=s3)
    assert "360: 0 pending" in told.stdout
    assert "run on" in told.stdout
    assert command("diff", f"{folder}/grid.zarr", tmp_path / "grid.zarr", env=s3).stdout == "no difference\n"


def test_a_store_by_its_own_url(study_file, folder):
    study = load_study(study_file)
    ds = run(study, store=f"{folder}/map.zarr/")
    assert (ds.status != 0).all()
    same(open_study(f"{folder}/map.zarr"), ds)
    with pytest.raises(UserError, match=rf"{folder}/map\.zarr/in/grid\.zarr would be inside {folder}/map\.zarr, which"):
        run(study, store=f"{folder}/map.zarr/in")
    assert [path.name for path in place(folder).iterdir()] == ["map.zarr"]


def test_killed_it_goes_on(tmp_path, folder, s3, monkeypatch):
    study_file = tmp_path / "held.py"
    study_file.write_text(HELD)
    (tmp_path / "hold").touch()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("gbaexplore"), "run", study_file, "--store", folder],
        env=s3, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    chunks = place(f"{folder}/held.zarr/status/c")
    while process.poll() is None and not chunks.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (tmp_path / "hold").unlink()
    study = load_study(study_file)
    with pytest.raises(UserError, match=rf"being written by process {process.pid} .* its lock ends 90 s later"):
        run(study, store=folder)
    monkeypatch.setattr(locks, "_DEAD_S", 0.0)
    report = runner.execute(study, place(folder))
    assert report.computed < study.size
    same(open_study(report.path), run(study, store=tmp_path))
    assert not place(f"{folder}/.held.zarr.lock").exists()


def test_one_that_was_not_wholly_made_is_made(study_file, folder):
    path = place(f"{folder}/grid.zarr")
    (path / "status" / "zarr.json").write_text("{}")
    with pytest.raises(UserError, match="is not a gbaexplore store: there is nothing there"):
        open_study(path)
    assert (run(load_study(study_file), store=folder).status != 0).all()


def test_damage_is_found_and_mended(study_file, folder, s3):
    study = load_study(study_file)
    before = run(study, store=folder).load()
    chunk = next(
        file for file in place(f"{folder}/grid.zarr/peak_rate").rglob("*") if "/c/" in str(file) and file.is_file()
    )
    chunk.write_bytes(chunk.read_bytes()[:-9] + b"x" * 9)
    done = command("check", f"{folder}/grid.zarr", "--repair", env=s3)
    assert "1 damaged, 0 left over" in done.stdout
    assert (open_study(f"{folder}/grid.zarr").status == 0).any()
    same(run(study, store=folder), before)


def test_another_grid_is_refused(study_file, folder):
    run(load_study(study_file), store=folder)
    study_file.write_text(WIDER)
    with pytest.raises(UserError, match="an object store can't change a store's grid in one step"):
        run(load_study(study_file), store=folder)


@pytest.mark.parametrize("raises", [False, True])
def test_another_that_has_taken_the_place_is_not_written_to(study_file, s3, monkeypatch, raises):
    folder = f"s3://bucket/taken-{raises}"
    path, real = place(f"{folder}/grid.zarr"), Study.run_blocks
    study_file.with_name("other.py").write_text(SMALL.replace("31, 53, 12", "32, 54, 12"))
    other, replaced = load_study(study_file.with_name("other.py")), threading.Event()

    def simulated(*args):
        found = real(*args)
        if not replaced.is_set():
            replaced.set()
            path.rmdir(recursive=True)
            making.create(path, other.template(), other.inputs())
        if raises:
            raise ZeroDivisionError("too strong")
        return found

    monkeypatch.setattr(Study, "run_blocks", simulated)
    with pytest.raises(UserError, match=r"grid\.zarr has been replaced since the run was started, or removed"):
        runner.execute(load_study(study_file), place(folder), only=[0])
    assert (stores.status(path) == 0).all()
    assert not [file for file in path.rglob("*") if "/c/" in str(file) and "peak" in str(file)]


def test_the_lock_is_renewed(folder, monkeypatch):
    monkeypatch.setattr(locks, "_RENEWED_S", 0.1)
    path = place(f"{folder}/grid.zarr")
    with making.locked(path):
        lock = path.with_name(".grid.zarr.lock")
        assert json.loads(lock.read_text())["process"] == os.getpid()
        lock.unlink()
        end = time.monotonic() + 60
        while not lock.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        with pytest.raises(UserError, match=f"being written by process {os.getpid()}"), making.locked(path):
            pass
    assert not lock.exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://no-such-bucket/x", "can't be written to: .*bucket does not exist"),
        ("nonsense://bucket/x", r"can't be used \(.*nonsense.*expected a folder, or a URL"),
    ],
)
def test_a_place_that_is_none(study_file, s3, url, said):
    with pytest.raises(UserError, match=said):
        run(load_study(study_file), store=url)


def test_a_service_that_does_not_answer(study_file, s3):
    nowhere = {**s3, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    done = command("run", study_file, "--store", "s3://bucket/x", env=nowhere, timeout=600)
    assert done.returncode == 2
    assert done.stderr.startswith("gbaexplore: s3://bucket/x/grid.zarr")
    assert "can't be looked at: Could not connect" in done.stderr
    assert done.stderr.count("\n") == 1
