"""Tables of points: a DataFrame as an axis, in a study, in a store, and in what looks at one."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from gbaexplore import LocalCircuit, Peak, SpectralAbscissa, UserError, open_study, plots, replay, run
from gbaexplore.analysis import propagation_ratio
from gbaexplore.basics.names import canonical
from gbaexplore.cli import main
from gbaexplore.running import runner
from gbaexplore.running.forecast import forecast
from gbaexplore.store import making
from gbaexplore.store.diff import diff
from gbaexplore.store.export import export
from gbaexplore.store.integrity import check

mpl.use("agg")

SHORT = dict(measures=[Peak(window=(1.75, 2.3))], duration=2.5)
ROWS = pd.DataFrame(
    {"muEE": [30.0, 33.7, 28.0, 33.7], "omegaEI": [19.7, 22.0, 25.2, 22.0], "amplitude": [40, 41, 42, 41]}
)


@pytest.fixture
def make(make_study, macaque):
    """A study of a table, with and without feedback."""

    def make(rows=ROWS, **parts):
        feedback = {"on": macaque, "off": macaque.without_feedback()}
        given = dict(axes={"point": rows, "feedback": feedback}, connectome=None, **SHORT)
        return make_study(**{**given, **parts})

    return make


@pytest.fixture(scope="module")
def stored(tmp_path_factory, macaque, pulse_of):
    """A store of six points in two variants, with a derived parameter along both."""
    from gbaexplore import Study, ThresholdLinear

    rows = pd.DataFrame({"muEE": np.linspace(28, 34, 6), "omegaEI": np.linspace(20, 26, 6)[[3, 1, 0, 5, 4, 2]]})
    feedback = {"on": macaque, "off": macaque.without_feedback()}
    study = Study(
        name="listed", model=ThresholdLinear(), axes={"point": rows, "feedback": feedback}, stimulus=pulse_of,
        derived={"muIE": lambda muEE, feedback: muEE - (8 if feedback == "on" else 9)}, **SHORT,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("store")
    run(study, store=folder)
    return folder / "listed.zarr", rows


@pytest.fixture(scope="module")
def pulse_of():
    from gbaexplore import Pulse

    return Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9)


# In a study.


def test_each_row_is_a_point_in_each_variant(make, make_study, run_all, macaque):
    study = make()
    found = run_all(study)
    assert study.shape == (4, 2)
    assert found["peak_rate"].shape == (4, 2, 29)
    for (i, row), (j, name) in itertools.product(enumerate(ROWS.to_dict("records")[:3]), enumerate(("on", "off"))):
        connectome = macaque if name == "on" else macaque.without_feedback()
        one = make_study(axes={parameter: [value] for parameter, value in row.items()}, connectome=connectome, **SHORT)
        np.testing.assert_allclose(found["peak_rate"][i, j], run_all(one)["peak_rate"][0, 0, 0], rtol=1e-5, atol=1e-12)
    np.testing.assert_array_equal(found["peak_rate"][1], found["peak_rate"][3], err_msg="a row may be there twice")


def test_a_table_gives_the_bits_that_the_product_of_its_axes_gives(make_study, run_all):
    muEE, omegaEI = np.linspace(28, 34, 3), np.array([19.7, 22.0])
    grid = run_all(make_study(axes={"muEE": muEE, "omegaEI": omegaEI}, **SHORT))
    rows = pd.DataFrame(list(itertools.product(muEE, omegaEI)), columns=["muEE", "omegaEI"])
    listed = run_all(make_study(axes={"point": rows}, **SHORT))
    np.testing.assert_array_equal(listed["peak_rate"], grid["peak_rate"].reshape(6, 29))


def test_parameters_are_coordinates_along_the_table(make):
    ds = make().template()
    assert ds.point.values.tolist() == [0, 1, 2, 3]
    for name in ROWS:
        assert ds[name].dims == ("point",)
        np.testing.assert_array_equal(ds[name], ROWS[name])
        assert ds[name].attrs["units"] in ("pA/Hz", "Hz")
    assert ds.set_index(point=["muEE", "omegaEI"]).sel(muEE=30, omegaEI=19.7).status.dims == ("feedback",)


@pytest.mark.slow
def test_tables_and_axes_make_a_product(make_study, run_all):
    one = pd.DataFrame({"muEE": [28.0, 33.7]})
    other = pd.DataFrame({"omegaEI": [19.7, 22.0, 25.2]}, index=[7, 3, 5])
    linear = dict(measures=[SpectralAbscissa()], duration=2.5)
    study = make_study(axes={"a": one, "eta": [0.6, 0.68], "b": other}, **linear)
    grid = make_study(axes={"muEE": [28.0, 33.7], "eta": [0.6, 0.68], "omegaEI": [19.7, 22.0, 25.2]}, **linear)
    np.testing.assert_array_equal(run_all(study)["spectral_abscissa"], run_all(grid)["spectral_abscissa"])
    assert study.template().b.values.tolist() == [7, 3, 5]


def test_functions_may_take_columns(make_study, run_all):
    rows = pd.DataFrame({"muEE": [30.0, 32.0], "muIE": [24.0, 25.0]})
    study = make_study(
        axes={"eta": [0.6, 0.7], "point": rows},
        derived={"omegaEI": lambda muEE, muIE: muEE - muIE / 2, "omegaIE": lambda omegaEI, eta: omegaEI * eta},
    )
    template = study.template()
    assert template.omegaEI.dims == ("point",)
    np.testing.assert_array_equal(template.omegaEI, [18.0, 19.5])
    assert template.omegaIE.dims == ("eta", "point")
    np.testing.assert_allclose(template.omegaIE, np.outer([0.6, 0.7], [18.0, 19.5]), rtol=1e-11)


def test_a_million_rows_are_planned_in_blocks_and_reach_the_engine_as_arrays(make_study):
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"muEE": rng.uniform(28, 34, 10**6), "omegaEI": rng.uniform(19, 26, 10**6)})
    study = make_study(axes={"point": rows}, **SHORT)
    assert 100 < len(study.blocks()) < 1000
    part = study.points(study.blocks()[-1])
    np.testing.assert_array_equal(part["omegaEI"], canonical(rows.omegaEI.to_numpy()[-len(part["omegaEI"]) :]))
    assert len(str(study.recipe())) < 20_000, "values are no part of the recipe"
    assert study.template().sizes["point"] == 10**6


BAD = pd.DataFrame({"muEE": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"point": pd.DataFrame({"muee": [1.0]})}, r'no parameter "muee" in ThresholdLinear; did you mean "muEE"'),
        ({"point": BAD.iloc[:0]}, 'axis "point" is a table of 0 rows and 1 columns; expected at least one of each'),
        ({"point": BAD[[]]}, 'axis "point" is a table of 2 rows and 0 columns'),
        ({"point": BAD.rename(columns={"muEE": 3})}, "has 3 as a column's name; expected parameters, each once"),
        ({"point": pd.concat([BAD, BAD], axis=1)}, "has 'muEE' more than once; expected parameters"),
        ({"point": pd.DataFrame({"muEE": ["a"]})}, r'column "muEE" of the table "point"\[0\] = .a.; expected finite'),
        ({"point": pd.DataFrame({"muEE": [True]})}, "has True and False; expected finite numbers"),
        ({"point": pd.DataFrame({"muEE": [1j]})}, "has complex numbers; expected finite numbers"),
        ({"point": pd.DataFrame({"muEE": [1.0, np.nan]})}, '"muEE" of the table "point" has nan; expected finite'),
        ({"point": pd.DataFrame({"muEE": pd.array([1, None], "Int64")})}, "has nan; expected finite numbers"),
        ({"point": pd.concat([BAD, BAD])}, "whose index is 0, 1, 0, ...; expected whole numbers below"),
        ({"point": BAD.set_index(pd.Index(["a", "b"]))}, "whose index is a, b, ...; .* reset_index"),
        ({"muEE": BAD}, '"muEE" is a table, but has the name of a parameter'),
        ({"point": BAD, "muEE": [1.0]}, '"muEE" is given by axes and by the table "point"; expected one source'),
        ({"point": BAD, "more": BAD}, '"muEE" is given by the table "point" and by the table "more"'),
        ({"area": BAD}, 'axis "area" uses a reserved name'),
        ({"point": pd.DataFrame({"tauE": [0.0]})}, "tauE = 0 s; expected above 0"),
    ],
)
def test_bad_tables_are_refused_when_the_study_is_made(make_study, axes, message):
    with pytest.raises(UserError, match=message):
        make_study(axes=axes)


# In a store.


def identical(a, b):
    assert set(a.variables) == set(b.variables)
    for name in a.variables:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


MORE = pd.DataFrame({"muEE": [29.0, 31.0], "omegaEI": [19.7, 21.0], "amplitude": [40, 43]}, index=[4, 5])


def test_a_table_grows_shrinks_and_keeps_its_rows_values(make, tmp_path):
    report = runner.execute(make(), tmp_path)
    assert report.computed == 8
    assert runner.execute(make(), tmp_path).computed == 0, "the same table again"
    longer = pd.concat([ROWS, MORE])
    assert "12, of which 4 are to be computed" in str(forecast(make(longer), tmp_path))
    report = runner.execute(make(longer), tmp_path)
    assert (report.computed, report.carried.carried) == (4, 8)
    fresh = run(make(longer), store=tmp_path / "fresh").load()
    identical(open_study(report.path).load(), fresh)

    # Values that changed at an old label.
    other = longer.copy()
    other.loc[2, "muEE"] = 27.0
    with pytest.raises(UserError, match=r"no longer has \(point: \[2\], with other parameters now\); give .*--shrink"):
        runner.execute(make(other), tmp_path)
    # Fewer rows, by label, in another order.
    fewer = longer.loc[[5, 0, 3]]
    with pytest.raises(UserError, match=r"no longer has \(point: \[1, 2, 4\]\); give the study another name"):
        runner.execute(make(fewer), tmp_path)
    identical(open_study(report.path).load(), fresh)

    report = runner.execute(make(other), tmp_path, shrink=True)
    assert (report.computed, report.carried.carried, report.carried.dropped) == (2, 10, 2)
    report = runner.execute(make(fewer), tmp_path, shrink=True)
    assert (report.computed, report.carried.carried) == (0, 6)
    identical(open_study(report.path).load(), fresh.sel(point=[5, 0, 3]))


def test_values_within_the_tolerance_change_nothing(make, tmp_path):
    runner.execute(make(), tmp_path)
    report = runner.execute(make(ROWS.assign(muEE=ROWS.muEE * (1 + 5e-10))), tmp_path)
    assert (report.computed, report.carried) == (0, None)


@pytest.mark.slow
def test_a_dry_run_counts_the_parameters_once(make_study, tmp_path, macaque):
    rows = pd.DataFrame(np.random.default_rng(0).uniform(1, 2, (30_000, 3)), columns=["wEE", "wEI", "wIE"])
    study = make_study(
        model=LocalCircuit(), connectome=macaque.without(*macaque.areas[1:]), axes={"point": rows}, stimulus=None,
        measures=[Peak()], duration=1e-3, block_points=1000,
    )  # fmt: skip
    expected = forecast(study, tmp_path).disk_bytes
    path = runner.execute(study, tmp_path).path
    assert expected == pytest.approx(
        sum(file.stat().st_size for file in path.glob("*/c/**/*") if file.is_file()), rel=0.1
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS.drop(columns="amplitude"), r"axes\.point: \[.*amplitude.*\] there, \[.*\] here"),
        (ROWS.assign(eta=0.6), "eta"),
    ],
)
def test_other_columns_are_another_study(make, tmp_path, rows, said):
    making.create(tmp_path / "small.zarr", make().template(), make().inputs())
    with pytest.raises(UserError, match=f"another study's results .*{said}"):
        runner.outstanding(make(rows), tmp_path / "small.zarr")


def test_an_interrupted_table_goes_on(make, tmp_path):
    study = make(block_points=2)
    path = runner.execute(study, tmp_path, only=[0, 3]).path
    assert runner.outstanding(study, path).points == 4
    assert runner.execute(study, tmp_path).computed == 4
    identical(open_study(path).load(), run(make(), store=tmp_path / "fresh").load())


@pytest.mark.slow
def test_a_point_is_replayed_by_its_row(stored):
    path, rows = stored
    ds = open_study(path)
    again = replay(path, point=3, feedback="off", window=(1.75, 2.3))
    peak = (again.E.isel(time=slice(1, None)) - 10.0).max("time")
    np.testing.assert_allclose(peak, ds.peak_rate.sel(point=3, feedback="off"), rtol=1e-5, atol=1e-12)
    assert again.attrs["muEE"] == canonical(rows.muEE.to_numpy())[3]
    assert again.attrs["muIE"] == ds.muIE.sel(point=3, feedback="off")
    assert again.attrs["point"] == 3
    with pytest.raises(UserError, match="no value 6 on the axis point; the nearest is 5"):
        replay(path, point=6, feedback="off")


def test_info_check_and_diff_of_a_table(stored, tmp_path, capsys, make):
    path, _ = stored
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert "  point              6 points: muEE 28 to 34 pA/Hz, omegaEI 20 to 26 pA/Hz\n" in said
    assert "  feedback           on, off\n" in said
    assert check(path) == []
    assert diff(path, path) == []
    other = make(ROWS.assign(omegaEI=[19.7, 22.0, 25.2, 23.0]), name="other")
    for study, name in ((make(), "a"), (other, "b")):
        making.create(tmp_path / name, study.template(), study.inputs())
    found = diff(tmp_path / "a", tmp_path / "b")
    assert [line for line in found if line.startswith("recipe  axes.point.columns.omegaEI")]
    assert "values  omegaEI: 1 of 4 differ; most at point 3: 22 and 23" in found


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".nc", ".zarr"])
def test_a_table_is_exported_with_its_parameters(stored, tmp_path, ending):
    import xarray as xr

    path, rows = stored
    out = tmp_path / f"listed{ending}"
    export(path, out)
    ds = open_study(path)
    if ending in (".nc", ".zarr"):
        with xr.open_dataset(out, engine="netcdf4") if ending == ".nc" else xr.open_zarr(out) as found:
            np.testing.assert_array_equal(found.muEE, rows.muEE.round(9))
            np.testing.assert_array_equal(found.peak_rate, ds.peak_rate)
        return
    found = pd.read_csv(out) if ending == ".csv" else pd.read_parquet(out)
    assert len(found) == 6 * 2 * 29
    muEE = found.groupby("point")["muEE (pA/Hz)" if ending == ".csv" else "muEE"]
    assert (muEE.nunique() == 1).all()
    np.testing.assert_array_equal(muEE.first(), rows.muEE.round(9))


@pytest.mark.slow
def test_a_row_has_the_noise_of_its_parameters_and_its_seed(make_study, tmp_path, run_all):
    noisy = dict(measures=[Peak(window=(0.0, 0.3))], duration=0.3, stimulus=None, fixed={"noise": 0.1})
    grid = run_all(make_study(axes={"muEE": [28.0, 33.7], "seed": [0, 5]}, **noisy))["peak_rate"]
    rows = pd.DataFrame({"seed": [5, 0, 5], "muEE": [28.0, 33.7, 33.7]})
    stored = run(make_study(axes={"point": rows}, **noisy), store=tmp_path)
    np.testing.assert_array_equal(stored.peak_rate, grid[[0, 1, 1], [1, 0, 1]])
    assert stored.seed.values.tolist() == [5, 0, 5]
    again = replay(tmp_path / "small.zarr", point=2).E
    np.testing.assert_allclose((again - again[0]).max("time"), stored.peak_rate[2], rtol=1e-4)


# In pictures.


def test_a_table_is_scattered_over_its_parameters(stored, tmp_path):
    path, _ = stored
    ds = open_study(path).load()
    ds.status[0, 0] = 2
    figure = plots.overview(ds)
    panels = figure.axes[:2]
    assert [ax.get_title() for ax in panels] == ["feedback on", "feedback off"]
    for ax, count in zip(panels, (5, 6)):
        shown = ax.collections[-1]
        assert len(shown.get_offsets()) == count
        np.testing.assert_array_equal(shown.get_offsets()[:, 0], ds.muEE[-count:])
    ratio = propagation_ratio(ds).sel(feedback="off")
    np.testing.assert_allclose(shown.get_array(), ratio)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["diverged (above 500 Hz)"]
    assert not legend.get_title().get_text()
    ax = plots.scatter(ds.sel(feedback="on"), "omegaEI", variable="peak_rate", area="V4", scale="linear")
    assert ax.get_xlabel() == r"local I to E coupling $\omega_{EI}$ (pA/Hz)"
    assert len(ax.collections[-1].get_offsets()) == 5
    assert main(["plot", str(path), "--out", str(tmp_path / "listed.png")]) == 0
    assert (tmp_path / "listed.png").exists()
    plt.close("all")


def test_a_table_of_one_parameter_is_an_axis(stored):
    ds = open_study(stored[0]).load()
    ds["omegaEI"] = ds.omegaEI * 0 + 20
    ax = plots.overview(ds).axes[0]
    assert ax.get_xlabel() == r"long-range E to E coupling $\mu_{EE}$ (pA/Hz)"
    assert len(ax.lines) == 2


def test_what_can_be_no_scatter_or_map(stored):
    path, _ = stored
    ds = open_study(path)
    with pytest.raises(UserError, match="a scatter has the axis point, the Dataset point, feedback; select one value"):
        plots.scatter(ds)
    with pytest.raises(UserError, match="a scatter over muEE and muIE; expected two parameters of the table point"):
        plots.scatter(ds.sel(feedback="on"), "muEE", "muIE")
    with pytest.raises(UserError, match="a map over nothing and nothing; expected two axes of two numbers or more"):
        plots.map(ds.sel(feedback="on"))
