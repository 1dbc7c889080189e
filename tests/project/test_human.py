"""The page on human data and the fits to them, on the files of cuBNM, which are fetched."""

import dataclasses
import inspect
import io
import re
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from gbaexplore import CMAES, load_fit, load_study_file
from tests.support.published import fetched

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "human.md"

mpl.use("agg")


@pytest.mark.slow
def test_the_study_of_the_page_runs_and_is_drawn(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(fetched("cubnm").parent)
    (code,) = re.findall(r'^```python title="human.py"\n(.*?)^```$', PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "human.py").write_text(code)
    file = load_study_file(tmp_path / "human.py")
    names = inspect.unwrap(file.draw).__globals__
    assert names["bar"] == pytest.approx(0.26, abs=0.005)
    few = {"slope": file.study.axes["slope"], "G": [0.6], "sigma": [0.03, 0.1], "seed": [0]}
    end = 1.44 + 50 * names["TR"]  # room for two of FCD's windows
    short = [dataclasses.replace(measure, window=(1.44, end)) for measure in file.study.measures]
    ds = dataclasses.replace(file.study, axes=few, measures=short, duration=end).compute()
    file.draw(ds).savefig(io.BytesIO())
    assert (ds.mean_rate.mean("area") < 4).all(), "each area's steady state is 3 Hz"
    assert "cubnm" not in sys.modules, "nothing of the package is run"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "package", "free"),
    [
        ("schaefer", "cubnm", 3),
        ("schaefer_maps", "cubnm", 7),
        ("schaefer_groups", "cubnm", 15),
        ("desikan", "tvboptim", 2),
    ],
)
def test_an_example_of_a_fit_runs(tmp_path, monkeypatch, name, package, free):
    monkeypatch.syspath_prepend(fetched(package).parent)
    monkeypatch.setenv("SECONDS", "70")  # room for two of FCD's windows
    fit = load_fit(DOCS / "examples" / f"fit_{name}.py")
    short = dataclasses.replace(fit, optimiser=CMAES(population=4), budget=4, seeds=1)
    found = short.run(tmp_path)
    assert len(fit.ranges) == free
    assert np.isfinite(found.dataset.loss).all()
    assert np.isfinite(list(found.held_out.values())).all()
    assert np.isfinite(list(found.held_out.values())).all()
    assert package not in sys.modules, "nothing of the package is run"
