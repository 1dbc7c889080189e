"""What the explorer draws of each kind of store, without a browser."""

import contextlib
import dataclasses
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gbaexplore import (
    Connectome,
    Explorer,
    Mean,
    ODEModel,
    Peak,
    Pulse,
    Sensitivity,
    SpectralAbscissa,
    Study,
    ThresholdLinear,
    load_study,
    open_study,
    parameter,
    replay,
)
from gbaexplore.basics.names import DIVERGED, OK, UNDEFINED
from gbaexplore.plots.explorer import charts, one_file, shapes, views
from gbaexplore.running import runner


def test_a_state_covers_only_points_without_a_value():
    values, status = np.array([[1.0, 2.0], [np.nan, 9.0]]), [[OK, UNDEFINED], [UNDEFINED, DIVERGED]]
    ds = xr.Dataset(
        {"found": (("b", "a"), values), "status": (("b", "a"), np.array(status, np.uint8))},
        {"a": [1.0, 2.0], "b": [1.0, 2.0]},
    )
    plane = views.plane(ds, "found", "a", "b", {}, log=False)
    np.testing.assert_array_equal(plane.values, [[1, 2], [np.nan, np.nan]])
    chart = charts.Map()
    chart.show(plane, log=False)
    np.testing.assert_array_equal(chart.cells.data["cover"][0], [[OK, OK], [UNDEFINED, DIVERGED]])
    np.testing.assert_array_equal(chart.cells.data["state"][0], status, "what a mouse is told stays")
    chart.show(views.plane(ds.isel(b=[0, 0]).assign_coords(b=[1.0, 2.0]), "found", "a", "b", {}, log=False), log=False)
    assert [item.label.value for item in chart.figure.legend[0].items if item.visible] == []


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A function that computes a small study of three areas and returns its store."""
    folder = tmp_path_factory.mktemp("kinds")
    network = Connectome(
        "three", ("V1", "V4", "24c"), 0.2 * (1 - np.eye(3)), values={"hierarchy": np.linspace(0, 1, 3)}
    )

    def compute(name, axes, **parts):
        given = {"model": ThresholdLinear(), "connectome": network, "measures": [Peak()], "duration": 0.2, "dt": 1e-3}
        pulse = Pulse(area="V1", onset=0.05, duration=0.1, amplitude=40.0)
        study = Study(name=name, axes=axes, **{**given, "stimulus": pulse, **parts})
        return study, runner.execute(study, folder).path

    return compute


def test_a_table_is_a_scatter_of_any_two_columns(stored):
    rows = pd.DataFrame({"muEE": [28.0, 20.0, 24.0, 30.0], "omegaEI": [20.0, 21.0, 23.0, 22.0], "muIE": [20.0] * 4})
    _, path = stored("table", {"row": rows})
    explorer = Explorer(path)
    shown = explorer._shown
    assert (type(shown), explorer.x, explorer.y) == (shapes.Scatter, "muEE", "omegaEI")
    assert explorer.param["x"].objects == ["muEE", "omegaEI"], "columns that differ"
    np.testing.assert_array_equal(shown.xs, rows.muEE)
    ds = open_study(path)
    np.testing.assert_allclose(shown.values, ds.peak_rate.sel(area="24c") / ds.peak_rate.sel(area="V1"))
    explorer._clicked(29.5, 22.0)
    assert explorer.point == {"row": 3}
    assert explorer._message.object.startswith("here: row 3: peaks V1")
    explorer.move(-1, 0)
    assert explorer.point == {"row": 2}, "the nearest to the left, rather than below"
    explorer.x = "omegaEI"
    assert (explorer.x, explorer.y) == ("omegaEI", "muEE")
    explorer.y = ""
    assert isinstance(explorer._shown, shapes.Curves)
    np.testing.assert_array_equal(explorer._shown.xs, [20.0, 21.0, 22.0, 23.0])
    explorer._clicked(21.2, 0.0)
    assert explorer.point == {"row": 1}


def test_one_axis_is_curves_along_it(stored):
    _, path = stored("axis", {"muEE": [20.0, 24.0, 28.0]}, measures=[Mean()])
    explorer = Explorer(path)
    shown, ds = explorer._shown, open_study(path)
    assert (explorer.x, explorer.y, list(shown.lines)) == ("muEE", "", ["V1", "24c"])
    np.testing.assert_array_equal(shown.lines["24c"], ds.mean_rate.sel(area="24c"))
    label = explorer._charts._charts["V1"].yaxis[0].axis_label
    explorer._clicked(27.0, 0.0)
    assert explorer.point == {"muEE": 28.0}
    assert explorer._charts._charts["V1"].yaxis[0].axis_label is label, "a new one would lay the figure out anew"
    explorer.move(-1, 0)
    assert explorer.point == {"muEE": 24.0}
    explorer.areas = ["V4"]
    assert list(explorer._shown.lines) == ["V4"]
    assert explorer._about.object == "mean E over the window (Hz): values, where the time courses are changes"


def test_a_single_point_has_its_time_courses_at_once(stored):
    _, path = stored("single", {"muEE": [28.0]}, measures=[SpectralAbscissa()])
    explorer = Explorer(path)
    explorer.__panel__()
    assert (explorer._shown, explorer.point) == (None, {"muEE": 28.0})
    assert len(explorer._charts.sources["V1"].data["xs"]) == 1
    _, path = stored("single_peak", {"muEE": [28.0]})
    explorer = Explorer(path)
    assert (explorer.variable, explorer.x, explorer._shown.x.labels) == ("peak_rate", "area", ["V1", "V4", "24c"])


def test_two_dimensions_of_names_are_a_matrix(stored):
    peak = Peak()
    measures = [Sensitivity(peak, parameters=("muEE", "omegaEI"))]
    _, path = stored("matrix", {"muEE": [28.0]}, measures=measures)
    explorer = Explorer(path)
    explorer.variable = "d_peak_rate"
    shown, ds = explorer._shown, open_study(path)
    assert (explorer.x, explorer.y, shown.downwards) == ("parameter", "area", True)
    np.testing.assert_array_equal(shown.values, ds.d_peak_rate.isel(muEE=0).transpose("area", "parameter"))
    assert explorer._map.figure.y_range.start > explorer._map.figure.y_range.end, "the first row is on top"
    _, path = stored("matrices", {"muEE": [26.0, 28.0]}, measures=measures)
    explorer = Explorer(path, variable="d_peak_rate", x="muEE")
    explorer.x, explorer.y = "parameter", "area"
    assert isinstance(explorer._shown, shapes.Plane)
    assert explorer.at == {"muEE": 0}
    assert explorer._map.figure.yaxis[0].major_label_orientation == "horizontal"
    explorer = Explorer(path, log=True)
    explorer.follow('{"variable": "d_peak_rate", "x": "parameter", "y": "area"}')
    assert (explorer.y, explorer.log) == ("area", False), "derivatives are negative, too"


@pytest.mark.slow
def test_seeds_are_mean_and_spread_with_the_single_ones_on_request(stored):
    noisy = {"fixed": {"noise": 0.02, "restE": 20.0, "restI": 45.0}, "stimulus": None, "measures": [Mean()]}
    axes = {"seed": range(4), "muEE": [20.0, 24.0]}
    _, path = stored("seeds", axes, **{name: value for name, value in noisy.items() if value is not None})
    explorer, ds = Explorer(path), open_study(path)
    assert (explorer.x, explorer.y, explorer.at["seed"]) == ("muEE", "", -1), "no seeds along an axis"
    at = ds.mean_rate.sel(area="24c")
    np.testing.assert_allclose(explorer._shown.lines["24c"], at.mean("seed"), rtol=1e-6)
    low, high = explorer._shown.bands["24c"]
    np.testing.assert_allclose(high - low, at.quantile(0.95, "seed") - at.quantile(0.05, "seed"), rtol=1e-4)
    assert [*explorer._widgets["seed"].options] == ["mean", "spread (5th to 95th percentile)", "0", "1", "2", "3"]
    page = one_file._Page(ds, "muEE", None)
    cube = page._cube("mean_rate", slice(None)).data["values"].reshape(6, 3, 2)
    np.testing.assert_array_equal(cube[:4], ds.mean_rate.transpose("seed", "area", "muEE"))
    np.testing.assert_allclose(cube[4, 2], at.mean("seed"), rtol=1e-6)
    np.testing.assert_allclose(cube[5, 2], high - low, rtol=1e-4)
    mean = explorer._found()["here"]
    how = {"window": explorer.courses.window, "every": explorer.courses.every, "muEE": explorer.point["muEE"]}
    each = [replay(path, seed=seed, **how).E.values for seed in range(4)]
    changes = np.stack([course - course[0] for course in each])
    np.testing.assert_allclose(mean.change, changes.mean(0), atol=1e-5)
    np.testing.assert_allclose(mean.spread, changes.std(0, ddof=1), atol=1e-5)
    assert "mean over 4 seeds: peaks" in explorer._message.object
    assert len(explorer._charts.bands["24c"].data["xs"]) == 1
    assert "seed=seed" in explorer.python()
    explorer.at = {"seed": 2}
    assert explorer._found()["here"].spread is None
    assert explorer._charts.bands["24c"].data["xs"] == []
    np.testing.assert_array_equal(explorer._shown.lines["24c"], at.sel(seed=2))
    assert explorer._shown.bands == {}
    explorer._clicked(20.0, 0.0)
    assert explorer.point == {"seed": 2, "muEE": 20.0}


def test_a_point_shows_what_the_store_has_of_it(stored):
    measures = [Peak(), Sensitivity(parameters=("muEE", "omegaEI"), measure=Peak())]
    _, path = stored("of_a_point", {"muEE": [26.0, 28.0], "omegaEI": [19.7, 21.0]}, measures=measures)
    explorer, ds = Explorer(path), open_study(path)
    explorer.__panel__()
    explorer._clicked(28.0, 21.0)
    chart = explorer._stored.charts["d_peak_rate"]
    assert explorer._stored.layout.children == [chart.figure]
    wanted = ds.d_peak_rate.sel(muEE=28.0, omegaEI=21.0).transpose("area", "parameter")
    np.testing.assert_array_equal(chart.cells.data["value"][0], wanted)
    explorer.clear()
    assert explorer._stored.layout.children == []


def test_the_first_view_has_values(stored):
    _, path = stored("silent", {"amplitude": [0.0, 40.0], "muEE": [20.0, 24.0], "omegaEI": [20.0, 21.0]})
    ds = open_study(path)
    assert views.first_at(ds, "peak_rate", "muEE", "omegaEI") == {"amplitude": 1, "area": 2}
    explorer = Explorer(path)
    assert np.isfinite(explorer._shown.values).any()
    explorer.x, explorer.y = "muEE", "omegaEI"
    assert explorer.at["amplitude"] == 1
    assert np.isfinite(explorer._shown.values).all()


@dataclass(frozen=True)
class Dimensionless(ODEModel):
    """A model whose variables have no unit."""

    tau: float = parameter(0.02, units="s", doc="time constant", above=0)
    gain: float = parameter(1.0, units="1", doc="of the input")
    observables = {"v": "1"}

    def derivative(self, x, p, net, stimulus):
        return {"v": (p.gain * stimulus - x.v) / p.tau}


def test_units_are_the_models(stored):
    study, path = stored("plain", {"gain": [1.0, 2.0, 3.0], "tau": [0.02, 0.04]}, model=Dimensionless())
    explorer = Explorer(path, study=study)
    explorer.point = {"gain": 2.0, "tau": 0.02}
    written = [
        explorer._message.object, explorer._heading.object, explorer._about.object,
        *(chart.yaxis[0].axis_label.text for chart in explorer._charts._charts.values()),
        explorer._charts._profile.yaxis[0].axis_label.text,
    ]  # fmt: skip
    assert not [words for words in written if "Hz" in words]
    assert "change of v since 0 s" in written[1]
    assert written[-1] == "largest change (% of V1)"


def test_a_linear_scale_is_chosen_for_values_that_differ_little(stored):
    _, path = stored("little", {"muEE": [20.0, 20.1, 20.2], "omegaEI": [20.0, 21.0]}, measures=[Mean()])
    explorer = Explorer(path)
    assert not explorer.log
    assert not explorer._map.ticker.args["log"]


def test_one_page_asks_for_no_other_file_though_panel_is_imported(stored, tmp_path):
    _, path = stored("alone", {"muEE": [20.0, 24.0], "omegaEI": [20.0, 21.0]})
    Explorer(path).__panel__()
    html = one_file.write(path, tmp_path / "page.html").read_text()
    assert "static/extensions" not in html
    assert not re.search(r"^<(script src|link rel)=", html, re.MULTILINE)


def test_a_picture_that_can_not_be_drawn_is_told_whatever_else_is(stored, monkeypatch):
    _, path = stored("map", {"muEE": [26.0, 28.0], "omegaEI": [19.7, 22.0]})
    explorer = Explorer(path)
    assert "can&#x27;t be" not in explorer._message.object
    with monkeypatch.context() as patch:
        for error, told in [
            (ValueError("odd"), "The picture can&#x27;t be read: odd"),
            (KeyError("odd"), "drawn: KeyError"),
        ]:
            patch.setattr(views, "shown", lambda *_, error=error: (_ for _ in ()).throw(error))
            with contextlib.suppress(KeyError):
                explorer.log = not explorer.log
            explorer.point = {"muEE": 28.0, "omegaEI": 22.0}
            assert told in explorer._message.object
            assert "muEE 28" in explorer._message.object, "and the point"
    explorer.log = not explorer.log
    assert "odd" not in explorer._message.object


MINE = """
from dataclasses import dataclass
from gbaexplore import Connectome, Peak, Pulse, Study, ThresholdLinear


@dataclass(frozen=True)
class Mine(ThresholdLinear):
    pass


two = Connectome("two", ("a", "b"), [[0, 0.1], [0.1, 0]], values={"hierarchy": [0.0, 1.0]})
study = Study(
    "mine", model=Mine(), connectome=two, axes={"muEE": [26.0, 28.0]}, stimulus=Pulse("a", 0.01, 0.02, 10.0),
    measures=[Peak()], duration=0.05, dt=1e-3,
)
"""


def test_lines_of_python_have_the_study_that_a_replay_needs(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    study = load_study(tmp_path / "mine.py")
    path = runner.execute(study, tmp_path).path
    monkeypatch.chdir(tmp_path.parent)  # another folder
    names = {}
    exec(Explorer(path, study, point={"muEE": 28.0}).python(), names)
    assert float(names["here"].E.sel(area="a").max() - names["here"].E.sel(area="a")[0]) > 0
    assert "replay" not in Explorer(path, point={"muEE": 28.0}).python(), "the model is not at hand"
    names["study"] = dataclasses.replace(study)
    object.__setattr__(names["study"], "source", None)  # as one that is made in a notebook
    lines = Explorer(path, names["study"], point={"muEE": 28.0}).python()
    assert "load_study" not in lines
    exec(lines, names)
