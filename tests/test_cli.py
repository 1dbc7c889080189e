"""The command line as its user meets it: real processes, real files."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from grids import HELD, HELD_POINTS

from gbaexplore.basics import streams
from gbaexplore.cli import main
from gbaexplore.study.file import load_study

COMMAND = [str(Path(sys.executable).with_name("gbaexplore"))]
LONG_S = 600  # nothing here takes as long, unless it hangs; however busy the machine
HEAD = """
import numpy as np
from gbaexplore import *
macaque = load_connectome("macaque29")
pulse = Pulse(area="V1", onset=2.0, duration=0.25, amplitude=41.9)
parts = dict(name="tiny", model=ThresholdLinear(), connectome=macaque, stimulus=pulse, measures=[Peak()])
"""
TINY = HEAD + 'study = Study(axes={"muEE": [28.0, 30.0, 36.0]}, **parts)\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tiny.py").write_text(TINY)
    return tmp_path


def command(*args, cwd, **kwargs):
    return subprocess.run([*COMMAND, *args], cwd=cwd, capture_output=True, text=True, timeout=LONG_S, **kwargs)


def ended(*args):
    """The exit code of a command, in this process."""
    try:
        return main([*args])
    except SystemExit as error:  # argparse
        return error.code


def test_run_then_run_again_then_info(folder, monkeypatch, capsys):
    first = command("run", "tiny.py", cwd=folder)
    assert first.returncode == 0, first.stderr
    assert "3 points: 2 ok, 1 diverged, 0 failed" in first.stdout
    assert "store/tiny.zarr" in first.stdout
    assert "3/3 points" in first.stderr
    assert "\r" not in first.stderr, "plain lines when it is no terminal"
    with xr.open_zarr(folder / "store" / "tiny.zarr", consolidated=False) as ds:
        np.testing.assert_array_equal(ds.status, [1, 1, 2])

    monkeypatch.chdir(folder)
    assert ended("run", "tiny.py") == 0
    again = capsys.readouterr()
    assert "nothing was left to do" in again.out
    assert again.err == ""

    assert ended("info", "store/tiny.zarr") == 0
    said = capsys.readouterr().out
    for text in ("0 pending, 2 ok, 1 diverged", "3 values, 28 to 36 pA/Hz", "sequential", "omegaEI", "jax="):
        assert text in said


def test_dry_run_writes_nothing(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert ended("run", "tiny.py", "--dry-run") == 0
    said = capsys.readouterr().out
    for word in ("points       3", "blocks       1", "disk", "peak memory", "time"):
        assert word in said
    assert sorted(p.name for p in folder.iterdir() if p.name != "__pycache__") == ["tiny.py"]


@pytest.mark.slow
def test_a_bar_in_a_terminal(folder):
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, "run", "tiny.py"], cwd=folder, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        shown += part
    process.communicate(timeout=LONG_S)
    os.close(ours)
    assert process.returncode == 0
    assert b"\r[########################] 3/3 points" in shown


def test_help_has_examples_and_starts_without_the_heavy_packages(folder):
    done = command("--help", cwd=folder)
    assert done.returncode == 0
    assert "gbaexplore run studies/gba_grid.py" in done.stdout
    assert command("--version", cwd=folder).stdout.startswith("gbaexplore 0.")
    code = """
import sys
from gbaexplore.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = {"numpy", "jax", "xarray", "dask", "distributed", "zarr", "matplotlib", "brainpy"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


MISTAKES = {
    "raises": ("1 / 0", "line 1: ZeroDivisionError: division by zero"),
    "syntax": ("def f(:\n", "line 1: SyntaxError"),
    "exits": ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
    "none": ("x = 1", "defines no study; expected `study = Study(...)`"),
    "other name": (HEAD + 'mine = Study(axes={"muEE": [28.0]}, **parts)', "rename `mine` to `study`"),
    "unknown parameter": (HEAD + 'study = Study(axes={"muee": [1.0]}, **parts)', 'did you mean "muEE"'),
    "two sources": (
        HEAD + 'study = Study(axes={"muEE": [1.0]}, fixed={"muEE": 2.0}, **parts)',
        '"muEE" is given by axes and by fixed',
    ),
    "window": (
        HEAD + 'study = Study(axes={"muEE": [1.0]}, **{**parts, "measures": [Peak(window=(2, 20))]})',
        "window of Peak is 2 to 20 s",
    ),
    "connectome": (
        HEAD + 'study = Study(axes={"c": {"a": Connectome("c", ("a",), [[0, 1]])}}, **parts)',
        "weights has shape (1, 2); expected (1, 1)",
    ),
    "type": (HEAD + "study = Study(axes={}, dx=3, **parts)", "TypeError: Study.__init__() got an unexpected keyword"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_users_mistake_is_one_line_and_exit_2(tmp_path, monkeypatch, capsys, mistake):
    text, message = MISTAKES[mistake]
    (tmp_path / "wrong.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "wrong.py"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("gbaexplore: ")
    assert said.count("\n") == 1
    assert "wrong.py" in said
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "__pycache__") == ["wrong.py"]


def test_mistakes_with_stores_and_paths(folder, monkeypatch, capsys):
    (folder / "file").write_text("in the way")
    (folder / "file.py").write_bytes(b"# \xfc\n")
    (folder / "store").mkdir()
    (folder / "store" / "tiny.zarr").mkdir()
    monkeypatch.chdir(folder)
    cases = [
        (("run", "nothing.py"), "no study file"),
        (("run", "store"), "no study file"),
        (("run", "tiny.py"), "not a gbaexplore store: it is something else"),
        (("run", "tiny.py", "--store", "file"), "file is not a folder; expected a folder for tiny.zarr"),
        (("info", "nothing.zarr"), "not a gbaexplore store: there is nothing there"),
        (("run", "tiny.py", "--workers", "0"), "not a whole number from 1 to 1,024"),
        (("run", "tiny.py", "--scheduler", "nonsense"), "not an address; expected one such as tcp://127.0.0.1:8786"),
        (("figure", "tiny.py"), "has no figure"),
        (("explore", "store/tiny.zarr", "--port", "99999"), "not a whole number from 0 to 65,535"),
        (("explore", "store/tiny.zarr", "--address", ""), "the address is empty"),
        (("explore", "store/tiny.zarr", "--html", ""), "'' is not a path"),
        (("explore", "store/tiny.zarr", "--html", "tiny.py"), "expected the name of an HTML file"),
        (("diff", "tiny.py", "store/tiny.zarr"), "tiny.py is not a gbaexplore store"),
        (("new", "other.py", "--from", "file.py"), "file.py can't be read"),
        (("run",), "required"),
        ((), "required"),
    ]
    before = sorted(folder.rglob("*"))
    for args, message in cases:
        assert ended(*args) == 2, args
        said = capsys.readouterr().err
        assert message in said
        assert "Traceback" not in said
    assert [p for p in sorted(folder.rglob("*")) if "__pycache__" not in str(p)] == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "message"),
    [
        ("raise RuntimeError('no')", "raised RuntimeError: no (tiny.py, line 9); fix it: the results are kept"),
        ("return 3", "returned int; expected a matplotlib Figure"),
    ],
)
def test_a_draw_that_draws_nothing(folder, monkeypatch, capsys, draw, message):
    study = TINY.replace("**parts)", "duration=0.1, **{**parts, 'stimulus': Pulse('V1', 0.0, 0.1, 40.0)})")
    (folder / "tiny.py").write_text(f"{study}\ndef draw(ds): {draw}\n")
    monkeypatch.chdir(folder)
    assert main(["figure", "tiny.py"]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "figures").exists()


@pytest.mark.parametrize("written", ['name="tiny"', "name='t' 'iny'", "**{'name': 'tiny'}"])
def test_a_copy_has_a_name_of_its_own(tmp_path, monkeypatch, written):
    """Else both would write one store."""
    parts = "model=ThresholdLinear(), connectome=macaque, stimulus=pulse, measures=[Peak()]"
    (tmp_path / "tiny.py").write_text(f'{HEAD}study = Study(axes={{"muEE": [28.0]}}, {written}, {parts})  # ü\n')
    monkeypatch.chdir(tmp_path)
    assert main(["new", "copy.py", "--from", "./tiny.py"]) == 0
    assert load_study("copy.py").name == "copy"
    assert load_study("copy.py").axes == load_study("tiny.py").axes


@pytest.mark.parametrize(
    ("shell", "code", "message"),
    [
        ("{} --version > /dev/full", 2, "gbaexplore: standard output can't be written to: No space left on device"),
        ("{} --help > /dev/full", 2, "gbaexplore: standard output can't be written to: No space left on device"),
        ("set -o pipefail; {} studies | true", 0, ""),
        ("{} info none 2> /dev/full", 2, ""),
        ("{} studies <&- >&- 2>&-", 0, ""),
        ("{} new x.txt 2>&-", 2, ""),
        ("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {} new ü", 2, "expected the name of a Python file"),
    ],
)
def test_streams_that_are_full_closed_or_have_few_letters(tmp_path, shell, code, message):
    done = subprocess.run(["bash", "-c", shell.format(*COMMAND)], cwd=tmp_path, capture_output=True, timeout=LONG_S)
    assert done.returncode == code
    assert message.encode() in done.stderr
    assert done.stderr.count(b"\n") == bool(message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "streams", "code"),
    [("", ">&-", 0), ("", "2>&-", 0), ("", "2> /dev/full", 0), ("", "> /dev/full", 2), ("", "| true", 0),
     ("", "2>&1 | true", 0), ("", "<&- >&- 2>&-", 0), ("", "> /dev/full 2>&1", 2),
     # A worker process has the streams of the run.
     ("--workers 1", "2> /dev/full", 0), ("--workers 1", "2>&1 | true", 0), ("--workers 1", "<&- >&- 2>&-", 0)],
)  # fmt: skip
def test_a_run_goes_on_whatever_becomes_of_its_streams(folder, args, streams, code):
    shell = f"set -o pipefail; {COMMAND[0]} run tiny.py {args} {streams}"
    done = subprocess.run(["bash", "-c", shell], cwd=folder, capture_output=True, timeout=LONG_S)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    with xr.open_zarr(folder / "store" / "tiny.zarr", consolidated=False) as ds:
        np.testing.assert_array_equal(ds.status, [1, 1, 2])


def test_a_label_can_not_act_on_the_terminal(capsys):
    streams.say("a\x1b[2J\u202eb\nc", "d")
    assert capsys.readouterr().out == "a\\x1b[2J\\u202eb\\nc\nd\n"


def test_an_empty_grid_is_one_point(folder, monkeypatch, capsys):
    (folder / "one.py").write_text(HEAD + "study = Study(axes={}, **parts)\n")
    monkeypatch.chdir(folder)
    assert ended("run", "one.py") == 0
    assert "1 point: 1 ok" in capsys.readouterr().out


@pytest.mark.slow
def test_a_study_file_sees_its_own_folder_and_not_main(folder):
    (folder / "helper.py").write_text("VALUES = [28.0, 29.0]\n")
    (folder / "uses.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        + HEAD.lstrip()
        + 'from helper import VALUES\n@dataclass(frozen=True)\nclass Mine(ThresholdLinear):\n    """Own."""\n'
        'study = Study(axes={"muEE": VALUES}, **{**parts, "model": Mine()})\n'
        "if __name__ == '__main__':\n    raise SystemExit('must not run')\n"
    )
    done = command("run", str(folder / "uses.py"), "--store", "out", "--workers", "1", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    assert "2 points: 2 ok" in done.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The store of a run of the same study that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "held.py").write_text(HELD)
    done = command("run", "held.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "store" / "held.zarr"


@pytest.fixture
def held(tmp_path):
    """A folder with a study of which, until its file `hold` is removed, only the first half is computed."""
    (tmp_path / "held.py").write_text(HELD)
    (tmp_path / "hold").touch()
    return tmp_path


def launched(folder, *args):
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen([*COMMAND, "run", "held.py", *args], cwd=folder, start_new_session=True, **pipes)


def waited(process, condition):
    """Wait for something that a run does on its way."""
    end = time.monotonic() + LONG_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def started(folder, *args):
    """A run that has finished at least one block."""
    process = launched(folder, *args)
    chunks = folder / "store" / "held.zarr" / "status" / "c"
    waited(process, lambda: any(file.is_file() for file in chunks.rglob("0")))
    return process


def finished_like_an_uninterrupted_run(folder, whole):
    (folder / "hold").unlink(missing_ok=True)
    resumed = command("run", "held.py", cwd=folder)
    assert resumed.returncode == 0, resumed.stderr
    computed = int(resumed.stdout.split(" computed in")[0].split("\n")[-1].replace(",", ""))
    assert 0 < computed < HELD_POINTS, "only what was missing"
    resumed_files, whole_files = (
        # A write that was cut off leaves a temporary file, which nothing reads.
        {p.relative_to(root): p.read_bytes() for p in root.rglob("c/**/*") if p.is_file() and p.suffix != ".partial"}
        for root in (folder / "store" / "held.zarr", whole)
    )
    assert resumed_files == whole_files, "byte-identical"


@pytest.mark.slow
def test_killed_it_resumes(held, whole):
    process = started(held)
    process.kill()
    process.communicate(timeout=LONG_S)
    finished_like_an_uninterrupted_run(held, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "args"),
    [(signal.SIGINT, ()), (signal.SIGINT, ("--workers", "2")), (signal.SIGTERM, ()), (signal.SIGHUP, ())],
)
def test_interrupted_it_says_how_to_resume(held, whole, number, args):
    process = started(held, *args)
    os.killpg(process.pid, number)  # as a terminal does: to the workers' processes too
    _, stderr = process.communicate(timeout=LONG_S)
    assert process.returncode == 130
    assert "the same command goes on from there" in stderr
    assert "Traceback" not in stderr
    finished_like_an_uninterrupted_run(held, whole)


@pytest.mark.slow
@pytest.mark.parametrize(("reached", "later_s"), [("begun", 0.0), ("loaded", 0.0), ("traced", 0.0), ("traced", 0.5)])
@pytest.mark.parametrize("args", [(), ("--workers", "1")])
def test_an_interrupt_while_it_starts_is_not_lost(held, args, reached, later_s):
    process = launched(held, *args)
    waited(process, (held / reached).exists)
    time.sleep(later_s)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, stderr
    assert stderr.splitlines()[-1].startswith("gbaexplore: interrupted")
    assert "Traceback" not in stderr


@pytest.mark.parametrize("off_by", [0.0, 1e-3])
def test_verify_fails_when_a_number_does(monkeypatch, capsys, off_by):
    from gbaexplore import verification

    row = verification.Row(
        what="a peak", expected=1.0, text="1.000", source="a paper", ours=1.0 + off_by, tolerance=1e-4
    )
    monkeypatch.setattr(verification, "verify", lambda: [row])
    assert main(["verify"]) == (1 if off_by else 0)
    assert ("FAIL" in capsys.readouterr().out) == bool(off_by)
