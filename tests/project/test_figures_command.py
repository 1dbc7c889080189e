"""`gbaexplore figure`, `studies` and `new`, as their users meet them."""

import subprocess
import sys
from pathlib import Path

import pytest

from gbaexplore import UserError
from gbaexplore.study.file import STUDIES, find, shipped, write_copy

COMMAND = [str(Path(sys.executable).with_name("gbaexplore"))]
STUDY = '''"""One line about it."""
from gbaexplore import *
study = Study(
    name="mine", axes={"muEE": [28.0, 30.0]}, model=ThresholdLinear(), measures=[Peak()],
    connectome=load_connectome("macaque29"), stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=41.9),
)
def draw(ds):
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    axes.plot(ds.muEE, ds.peak_rate.sel(area="V1"))
    return figure
'''


def command(*args, cwd):
    return subprocess.run([*COMMAND, *args], cwd=cwd, capture_output=True, text=True, timeout=600)


@pytest.mark.slow
def test_a_figure_of_a_study_file(tmp_path):
    (tmp_path / "mine.py").write_text(STUDY)
    done = command("figure", "mine.py", "--out", "pictures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 points computed" in done.stdout
    assert (tmp_path / "pictures" / "mine.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "pictures" / "mine.svg").read_text()
    again = command("figure", "mine.py", cwd=tmp_path)
    assert "0 of 2 points computed" in again.stdout
    assert (tmp_path / "figures" / "mine.svg").exists()


def test_mistakes(tmp_path):
    (tmp_path / "plain.py").write_text(STUDY.split("def draw")[0])
    (tmp_path / "mine.py").write_text(STUDY)
    (tmp_path / "file").write_text("in the way")
    for args, message in [
        (("figure", "plain.py"), "has no figure; expected `def draw(ds)`"),
        (("figure", "fig2x"), "or a shipped study: "),
        (("figure", "mine.py", "--out", "file"), "file is not a folder"),
        (("figure",), "required"),
        (("new", "mine.py"), "mine.py exists already"),
        (("new", "no-module.py"), "expected the name of a Python file"),
        (("new", "nowhere/other.py"), "can't be written to"),
        (("new", "other.py", "--from", "gba_gird"), 'did you mean "gba_grid"'),
    ]:
        done = command(*args, cwd=tmp_path)
        assert done.returncode == 2, args
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_every_shipped_study_says_what_it_is(tmp_path):
    listed = shipped()
    assert "gba_grid" in listed
    assert all(line and len(line) < 120 for line in listed.values())
    done = command("studies", cwd=tmp_path)
    assert all(f"{name} " in done.stdout for name in listed)


def test_a_copy_runs_under_its_own_name(tmp_path):
    path = write_copy("gba_grid", tmp_path / "my_study.py")
    assert 'name="my_study"' in path.read_text()
    done = command("run", "my_study.py", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "my_study.zarr" in done.stdout
    with pytest.raises(UserError, match="exists already"):
        write_copy("gba_grid", path)


def test_a_shipped_study_is_found_by_name_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("gba_grid") == STUDIES / "gba_grid.py"
    (tmp_path / "own.py").write_text("")
    assert find("own.py") == tmp_path / "own.py"
