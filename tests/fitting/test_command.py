"""`gbaexplore fit`: in a process of its own, killed while it works, and interrupted."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gbaexplore import UserError, load_fit, open_study, replay
from gbaexplore.cli import main
from gbaexplore.fitting.file import study_of

FILE = """
import numpy as np
from gbaexplore import CMAES, Connectome, Fit, Mean, Study, SumOfSquares, WilsonCowan

study = Study(
    name="tiny",
    model=WilsonCowan(),
    connectome=Connectome("two", ("a", "b"), weights=np.array([[0, 0.5], [0.3, 0]])),
    axes={},
    measures=[Mean()],
    dt=1e-3,
    duration=0.02,
)
fit = Fit(
    study,
    free={"P": (1.2, 3.0), "c1": (9.0, 17.0)},
    loss=SumOfSquares("mean_E", {"a": 0.1, "b": 0.1}, scale=0.01),
    optimiser=CMAES(population=4),
    budget=24,
)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "fit_tiny.py"
    path.write_text(FILE)
    return path


def fitting(file, store, *more):
    command = [str(Path(sys.executable).parent / "gbaexplore"), "fit", str(file), "--store", str(store), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_moment_it_goes_on_to_the_same_answer(file, tmp_path, number):
    whole, parts = tmp_path / "whole.zarr", tmp_path / "parts.zarr"
    out, err = (done := fitting(file, whole)).communicate(timeout=120)
    assert done.returncode == 0, err
    assert "24 evaluations of 1 point: 0 diverged" in out
    process = fitting(file, parts, "--budget", "100000")
    wait_for(parts, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -9)
    assert number == signal.SIGKILL or "evaluations are kept: the same command goes on from there" in err
    kept = open_study(parts).sizes["evaluation"]
    assert main(["fit", str(file), "--store", str(parts), "--budget", str(kept + 3)]) == 0
    found, expected = (open_study(path).isel(evaluation=slice(0, 24)).load() for path in (parts, whole))
    both = slice(0, min(24, kept + 3))
    xr.testing.assert_identical(
        found.isel(evaluation=both).drop_attrs(deep=False), expected.isel(evaluation=both).drop_attrs(deep=False)
    )


def test_the_command_prints_the_result_and_a_mistake_in_one_line(file, tmp_path, capsys):
    assert main(["fit", str(file), "--store", str(tmp_path / "s"), "--budget", "4"]) == 0
    out = capsys.readouterr().out
    assert "4 evaluations of 1 point: 0 diverged; 0 of 1 searches converged" in out
    assert str(tmp_path / "s" / "fit_tiny.zarr") in out
    ds = open_study(tmp_path / "s" / "fit_tiny.zarr")
    assert f"{float(ds.P[np.argmin(ds.loss.values)]):.5g}" in out
    np.testing.assert_allclose(ds.mean_E_data, 0.1)
    assert load_fit(file).source[0] == str(file)
    file.write_text(FILE.replace("fit = Fit", "other = Fit"))
    assert main(["fit", str(file)]) == 2
    assert "defines no fit; expected `fit = Fit(study, free=..., loss=...)`" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["fit", str(file), "--budget", "0"])
    assert "'0' is not a whole number from 1" in capsys.readouterr().err


OWN = """
class Own(WilsonCowan):
    pass


"""


def test_a_point_of_a_fit_of_ones_own_model_is_replayed_with_its_file(file, tmp_path):
    text = FILE.replace("study = Study(", OWN + "study = Study(", 1).replace("model=WilsonCowan()", "model=Own()")
    text = text.replace('"P": (1.2, 3.0)', '"base": (1.2, 3.0)').replace(
        "optimiser=", 'derived={"P": lambda base: 0.9 * base},\n    optimiser='
    )
    file.write_text(text)
    store = tmp_path / "own.zarr"
    ds = load_fit(file).run(store, budget=4).dataset
    with pytest.raises(UserError, match="a store holds no code"):
        replay(store, evaluation=1)
    again = replay(store, evaluation=1, study=study_of(file, store))
    np.testing.assert_allclose(again.E.mean("time"), ds.mean_E[1], rtol=1e-4)
    other = load_fit(file).free | {"c2": (1.0, 2.0)}
    with pytest.raises(
        UserError, match=r"has base, c1 as free parameters; expected a store of the fit of base, c1, c2"
    ):
        dataclasses.replace(load_fit(file), free=other).study_of(store)


def test_a_store_that_is_in_use_is_refused(file, tmp_path):
    from gbaexplore.store import making

    with making.locked(tmp_path / "x.zarr"), pytest.raises(UserError, match=r"x\.zarr"):
        load_fit(file).run(tmp_path / "x.zarr")
