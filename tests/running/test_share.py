"""A folder for others: it opens, replays and runs anywhere, with nothing of where it was made."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gbaexplore import UserError, load_connectome, load_study, open_study, replay, run
from gbaexplore.cli import main
from gbaexplore.store import integrity

STUDY = '''\
"""A model of one's own, on a connectome of one's own."""
import gbaexplore as gba
from strength import MINE, Damped

study = gba.Study(
    name="mine",
    model=Damped(),
    axes={"w": [0.1, 0.2], "net": {"whole": MINE, "half": MINE.scaled(0.5)}},
    measures=[gba.Final()],
    stimulus=gba.Pulse(area="A 1", onset=0.1, duration=0.1, amplitude=20.0),
    dt=1e-3,
    duration=0.3,
)
'''
HELPER = '''\
from dataclasses import dataclass
import gbaexplore as gba

MINE = gba.load_connectome("data/net.csv")

@dataclass(frozen=True)
class Damped(gba.ODEModel):
    """A rate."""
    w: float = gba.parameter(0.5, units="1", doc="coupling")
    observables = {"r": "Hz"}
    def derivative(self, x, p, net, stimulus):
        return {"r": (p.w * (net.weights @ x.r) - x.r + stimulus) / 0.02}
'''


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A study of one's own that has been run, in the working folder."""
    folder = tmp_path / "made"
    (folder / "data").mkdir(parents=True)
    (folder / "mine.py").write_text(STUDY)
    (folder / "strength.py").write_text(HELPER)
    (folder / "data" / "net.csv").write_text(",A 1,B|2\nA 1,0,0.2\nB|2,0.3,0\n")
    (folder / "unrelated.txt").write_text("no part of it")
    monkeypatch.chdir(folder)
    run(load_study("mine.py"))
    return folder


def elsewhere(folder, tmp_path, made):
    """Move a shared folder, and remove what it was made from."""
    there = shutil.move(folder, tmp_path / "elsewhere")
    shutil.rmtree(made)
    return there


def blocks(folder, kind):
    return re.findall(rf"```{kind}\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)


@pytest.mark.slow
def test_it_opens_replays_and_runs_in_another_place_without_the_original(made, tmp_path, monkeypatch):
    before = open_study("store/mine.zarr").load()
    assert main(["share", "store/mine.zarr", "given"]) == 0
    folder = elsewhere(made / "given", tmp_path, made)
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if ".zarr" not in str(p) and p.is_file()}
    assert {"README.md", "mine.py", "strength.py", "data/net.csv", "connectomes/net/weights.csv"} <= files
    assert not any("unrelated" in name for name in files)
    monkeypatch.chdir(folder)
    xr.testing.assert_identical(open_study("mine.zarr").load(), before)
    opening, replaying = blocks(folder, "python")
    assert "gbaexplore" not in opening
    for code in (opening, replaying):
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "(time: " in done.stdout
    check, again, compare = blocks(folder, "sh")[0].splitlines()
    for line in (check, again, compare):
        assert main(line.split()[1:]) == 0, line


def test_the_connectomes_are_those_of_the_store(made):
    main(["share", "store/mine.zarr", "given"])
    whole = load_connectome(made / "given" / "connectomes" / "net")
    np.testing.assert_array_equal(whole.weights, [[0, 0.2], [0.3, 0]])
    assert whole.areas == ("A 1", "B|2")
    assert len(list((made / "given" / "connectomes").iterdir())) == 2


def test_a_shipped_model_replays_without_its_study_and_says_what_to_cite(make_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(make_study(axes={"muEE": [30.0, 32.0], "omegaEI": np.linspace(19, 22, 8)}))
    assert main(["share", "store/small.zarr"]) == 0
    shutil.rmtree("store")
    monkeypatch.chdir("small_shared")
    page = (tmp_path / "small_shared" / "README.md").read_text()
    assert "Joglekar, Mejias, Yang & Wang (2018), Neuron 98:222-234" in page
    assert "Markov et al. (2014)" in page
    assert f"gbaexplore {version('gbaexplore')}" in page
    assert "| `muEE` | 30.0, 32.0 | pA/Hz | long-range E to E coupling |" in page
    assert not list(integrity.check(tmp_path / "small_shared" / "small.zarr"))
    assert replay("small.zarr", muEE=30, omegaEI=19).sizes["area"] == 29


def test_what_a_study_reads_from_elsewhere_is_named(made, tmp_path):
    shutil.move(made / "data" / "net.csv", tmp_path / "net.csv")
    text = (made / "strength.py").read_text()
    (made / "strength.py").write_text(text.replace("data/net.csv", str(tmp_path / "net.csv")))
    main(["share", "store/mine.zarr", "given"])
    assert "also reads `net.csv`, which is not here; the connectomes are" in (made / "given" / "README.md").read_text()
    assert not list((made / "given").glob("*.csv"))


@pytest.mark.parametrize(
    ("break_it", "arguments", "message"),
    [
        (lambda: None, ["store/none.zarr"], "there is nothing there"),
        (lambda: None, ["store/mine.zarr", "data"], "data exists already; choose another folder, or remove it"),
        (lambda: Path("mine.py").write_text(STUDY + "#"), ["store/mine.zarr"], "own (Damped), and the study file"),
        (lambda: None, ["store/mine.zarr", "--study", "fig2c"], "expected the study that it was made with"),
        (lambda: Path("store/mine.zarr/status/c/0/0").write_text("x"), ["store/mine.zarr"], "is damaged"),
        (lambda: None, ["store/mine.zarr", "store/mine.zarr/given"], "which is a zarr store; choose a place outside"),
    ],
)  # fmt: skip
def test_what_is_refused_leaves_nothing(made, capsys, break_it, arguments, message):
    break_it()
    before = sorted(made.iterdir())
    assert main(["share", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(made.iterdir()) == before


def test_a_study_that_has_changed_in_comments_is_given(made):
    (made / "mine.py").write_text(f"{STUDY}# a comment\n")
    assert main(["share", "store/mine.zarr", "--study", "mine.py"]) == 0
    assert (made / "mine_shared" / "mine.py").read_text().endswith("# a comment\n")


def test_a_folder_that_can_not_be_written_is_left_as_it_was(made, monkeypatch):
    from gbaexplore.running import share

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(share, "_copy_study", full)
    with pytest.raises(UserError, match="given can't be written to: No space left on device; choose another folder"):
        share.share("store/mine.zarr", "given")
    assert not list(made.glob("*given*"))
