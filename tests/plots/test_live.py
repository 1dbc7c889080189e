"""Interactive pictures: what is in them, from the Dataset's own numbers; in a real browser in test_live_pages."""

import holoviews as hv
import hvplot.xarray  # noqa: F401 - gives Datasets their .hvplot
import numpy as np
import pytest
import xarray as xr

from gbaexplore import Peak, Pulse, Sensitivity, ThresholdLinear, Trace, UserError, Variance, designs, open_study, plots
from gbaexplore import run as compute
from gbaexplore.basics.names import DIVERGED, STATUS
from gbaexplore.plots import live

hv.extension("bokeh")
SHORT = Pulse(area="V1", onset=0.05, duration=0.1, amplitude=41.9)


@pytest.fixture(scope="module")
def stores(macaque, tmp_path_factory):
    """A map, a table of points, seeds and derivatives; {name: path}."""
    from gbaexplore import Study

    folder = tmp_path_factory.mktemp("live")
    given = dict(model=ThresholdLinear(), connectome=macaque, stimulus=SHORT, duration=0.2)
    point = designs.halton(12, {"muEE": (28, 36), "omegaEI": (20, 26)})
    feedback = {"on": macaque, "off": macaque.without_feedback()}
    studies = [
        Study("map", axes={"muEE": np.linspace(30, 60, 4), "omegaEI": np.linspace(19, 25, 3), "feedback": feedback},
              measures=[Peak()], **{**given, "connectome": None}),
        Study("table", axes={"point": point}, measures=[Peak()], **given),
        Study("line", axes={"muEE": [28.0, 30.0, 33.0]}, measures=[Peak(), Trace(every=0.02)], **given),
        Study("derivatives", axes={}, measures=[Sensitivity(Peak(), ["muEE", "eta"])], **given),
        Study("noisy", axes={"muEE": [28.0, 34.0], "seed": [1, 2, 3, 4]}, measures=[Variance()],
              **{**given, "model": ThresholdLinear(update="simultaneous", noise=0.02)}),
    ]  # fmt: skip
    for study in studies:
        compute(study, store=folder)
    return {study.name: folder / f"{study.name}.zarr" for study in studies}


@pytest.fixture(params=["ours", "plain"])
def opened(request, stores):
    """Return a store's Dataset, opened by us and by xarray alone."""
    if request.param == "ours":
        return lambda name: open_study(stores[name])
    return lambda name: xr.open_zarr(stores[name], consolidated=False)


def parts(picture, kind):
    """The elements of a kind in a picture, without empty ones for a legend."""
    layers = picture.values() if isinstance(picture, hv.Overlay) else [picture]
    return [layer for layer in layers if type(layer) is kind and getattr(layer, "label", "") not in ("diverged",)]


@pytest.mark.slow
def test_a_map_has_the_values_of_the_dataset_and_selectors_in_its_order(opened):
    ds = opened("map")
    picture = plots.interactive(ds, "peak_rate")
    assert [dim.name for dim in picture.kdims] == ["feedback", "area"]
    assert picture.get_dimension("area").values == ds.area.values.tolist()
    assert picture.get_dimension("feedback").values == ["on", "off"]
    image, states = parts(picture["on", "24c"], hv.Image)
    expected = ds.peak_rate.sel(feedback="on", area="24c").transpose("omegaEI", "muEE")
    diverged = (ds.status.sel(feedback="on") == DIVERGED).transpose("omegaEI", "muEE").values
    assert diverged.any()
    assert not diverged.all()
    np.testing.assert_array_equal(image.dimension_values("peak_rate", flat=False), expected)
    np.testing.assert_array_equal(np.isnan(expected), diverged)
    np.testing.assert_array_equal(states.dimension_values(STATUS, flat=False) == 1, diverged)
    assert image.get_dimension("muEE").unit == "pA/Hz"
    options = hv.Store.lookup_options("bokeh", image, "plot").kwargs
    assert options["cnorm"] == "log"
    assert options["clim"] == (np.nanmin(expected), np.nanmax(expected))
    assert options["clabel"].replace("\n", " ").endswith("(Hz)")
    assert [layer.label for layer in picture["on", "24c"] if isinstance(layer, hv.Points)] == ["diverged"]


def test_what_a_map_is_drawn_over_can_be_said(opened):
    ds = opened("map").sel(area=["V1", "24c"])
    picture = plots.interactive(ds, "time_to_peak", x="omegaEI", y="muEE", scale="linear")
    image = parts(picture["on", "V1"], hv.Image)[0]
    assert [dim.name for dim in image.kdims] == ["omegaEI", "muEE"]
    assert hv.Store.lookup_options("bokeh", image, "plot").kwargs["cnorm"] == "linear"


def test_axes_without_equal_steps_are_a_mesh(opened):
    ds = opened("map").isel(muEE=[0, 1, 3])
    assert parts(plots.interactive(ds, "peak_rate")["on", "V1"], hv.QuadMesh)


def test_a_profile_has_all_areas_in_order_and_a_line_for_each_label(opened):
    ds = opened("map").sel(muEE=30.0, omegaEI=25.0)
    curves = parts(plots.interactive(ds, "peak_rate"), hv.Curve)
    assert [curve.label for curve in curves] == ["on", "off"]
    for curve in curves:
        assert curve.dimension_values(0).tolist() == ds.area.values.tolist()
        expected = ds.peak_rate.sel(feedback=curve.label).values
        np.testing.assert_array_equal(curve.dimension_values(1), np.where(expected > 0, expected, np.nan))


def test_a_point_without_values_says_why(opened):
    picture = plots.interactive(opened("map").sel(muEE=60.0, omegaEI=19.0, feedback="on"), "peak_rate")
    assert hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"] == "diverged"


def test_curves_along_an_axis_and_over_time(opened):
    ds = opened("line")
    along = plots.interactive(ds.sel(area=["V1", "24c"]), "peak_rate")
    assert [curve.label for curve in parts(along, hv.Curve)] == ["V1", "24c"]
    np.testing.assert_array_equal(parts(along, hv.Curve)[1].dimension_values(1), ds.peak_rate.sel(area="24c"))
    over = plots.interactive(ds, "rate_change")
    assert [dim.name for dim in over.kdims] == ["muEE", "area"]
    (curve,) = parts(over[30.0, "V1"], hv.Curve)
    np.testing.assert_array_equal(curve.dimension_values("time"), ds.time)
    np.testing.assert_array_equal(curve.dimension_values(1), ds.rate_change.sel(muEE=30.0, area="V1"))


def test_seeds_are_a_mean_and_a_band(opened):
    ds = opened("noisy").sel(area="V1")
    picture = plots.interactive(ds, "rate_variance")
    (curve,), (band,) = parts(picture, hv.Curve), parts(picture, hv.Area)
    np.testing.assert_allclose(curve.dimension_values(1), ds.rate_variance.mean("seed"), rtol=1e-6)
    for dimension, q in ((1, 0.05), (2, 0.95)):
        np.testing.assert_allclose(band.dimension_values(dimension), ds.rate_variance.quantile(q, "seed"), rtol=1e-6)


def test_a_table_is_its_points_and_tells_of_all_columns(opened):
    ds = opened("table").sel(area="24c")
    points = plots.interactive(ds, "peak_rate")
    points = next(layer for layer in points if layer.vdims) if isinstance(points, hv.Overlay) else points
    ok = (ds.status == 1).values
    for name in ("muEE", "omegaEI", "peak_rate"):
        np.testing.assert_array_equal(points.dimension_values(name), ds[name].values[ok])


def test_names_along_two_dimensions_are_a_matrix_in_order(opened):
    ds = opened("derivatives")
    name = next(str(name) for name in ds.data_vars if "parameter" in ds[name].dims)
    matrix = plots.interactive(ds, name)
    assert isinstance(matrix, hv.HeatMap)
    table = matrix.dframe().pivot(index="area", columns="parameter", values=name)
    np.testing.assert_array_equal(table.loc[ds.area.values, ["muEE", "eta"]], ds[name].transpose("area", "parameter"))


def test_a_tap_replays_the_point(stores):
    ds = open_study(stores["map"])
    both = plots.interactive(ds, "peak_rate", store=stores["map"])
    courses = both[1, 0] if not isinstance(both, hv.Layout) else both[1]
    courses.streams[0].event(x=29.0, y=24.6)  # nearest to 30 and 25
    (curve,) = parts(courses["off", "V2"], hv.Curve)
    from gbaexplore import replay

    expected = replay(stores["map"], muEE=30.0, omegaEI=25.0, feedback="off", every=1e-3).E.sel(area="V2")
    np.testing.assert_array_equal(curve.dimension_values(1), expected)
    table = plots.interactive(open_study(stores["table"]), store=stores["table"])
    assert parts(table[1]["24c"], hv.Curve)


def test_a_large_map_is_drawn_by_datashader_with_the_same_limits(stores, monkeypatch):
    pytest.importorskip("datashader")
    ds = open_study(stores["map"])
    monkeypatch.setattr(live, "MOST_CELLS", 4)
    picture = plots.interactive(ds, "peak_rate")
    drawn = picture["on", "24c"]
    image = next(iter(drawn))
    options = hv.Store.lookup_options("bokeh", image, "plot").kwargs
    assert options["cnorm"] == "log"
    values = ds.peak_rate.values
    assert options["clim"] == (values[values > 0].min(), np.nanmax(values))
    hv.render(picture)


def test_pictures_compose(opened):
    ds = opened("line")
    both = plots.interactive(ds.sel(area="V1"), "peak_rate") * plots.interactive(ds.sel(area="24c"), "peak_rate")
    assert isinstance(both + both, hv.Layout)
    hv.render(both)


def test_what_is_selected_in_one_picture_is_marked_in_the_other(opened):
    from bokeh.models import GlyphRenderer, Scatter

    ds = opened("table").sel(area="24c").load()
    linked = hv.link_selections.instance()
    both = linked(plots.interactive(ds, x="muEE", y="omegaEI") + plots.interactive(ds, x="omegaEI", y="muEE"))
    linked.selection_expr = hv.dim("muEE") > 31
    drawn = hv.render(both).select({"type": GlyphRenderer})
    columns = [renderer.data_source.data for renderer in drawn if isinstance(renderer.glyph, Scatter)]
    sizes = [len(found["muEE"]) for found in columns if "peak_rate" in found]
    ok = ds.status == 1
    assert 0 < int((ok & (ds.muEE > 31)).sum()) < int(ok.sum())
    assert sorted(sizes) == sorted([int((ok & (ds.muEE > 31)).sum()), int(ok.sum())] * 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variable": "peek_rate"}, 'no variable "peek_rate"; did you mean "peak_rate"'),
        ({"x": "muEI"}, 'no dimension "muEI"; did you mean'),
        ({"y": "muEE"}, "y='muEE' and x=None; expected two different"),
        ({"x": "muEE", "y": "muEE"}, "expected two different ones"),
        ({"by": "area"}, "by='area' makes 29 lines; expected at most 12"),
        ({"scale": "lin"}, 'scale="lin"; expected "log" or "linear"'),
    ],
)
def test_mistakes_are_told(stores, given, message):
    with pytest.raises(UserError, match=message):
        plots.interactive(open_study(stores["map"]), **{"variable": "peak_rate", **given})


def test_courses_are_of_points_that_can_be_tapped(stores):
    with pytest.raises(UserError, match="whose points can be tapped; found lines of peak_rate"):
        plots.interactive(open_study(stores["line"]), "peak_rate", store=stores["line"])


# What hvPlot, xarray and pandas make of a Dataset as it is.


@pytest.mark.parametrize("name", ["map", "table", "line", "noisy", "derivatives"])
def test_hvplots_explorer_takes_every_store_with_a_dimension_of_numbers(opened, name):
    ds = opened(name)
    if name != "derivatives":  # it draws over two dimensions, of which the second is one of numbers
        assert ds.hvplot.explorer().hvplot is not None
    assert ds.interactive.isel(area=0) is not None


@pytest.mark.slow
def test_hvplot_draws_a_variable_as_it_is(opened):
    ds = opened("map")
    picture = ds.peak_rate.hvplot(x="muEE", y="omegaEI", groupby=["area", "feedback"], dynamic=False)
    image = picture["24c", "on"]
    np.testing.assert_array_equal(
        image.dimension_values("peak_rate", flat=False),
        ds.peak_rate.sel(area="24c", feedback="on").transpose("omegaEI", "muEE"),
    )
    assert hv.render(picture) is not None


def test_our_datasets_please_xarrays_plots_and_pandas(stores):
    import matplotlib.pyplot as plt

    ds = open_study(stores["map"])
    assert {ds[name].dtype.kind for name in ("area", "feedback")} == {"U"}
    assert list(ds.indexes)[:2] == ["muEE", "omegaEI"]
    assert "units" not in ds.hierarchy.attrs
    (line,) = ds.peak_rate.sel(muEE=30.0, omegaEI=25.0, feedback="on").plot(ax=plt.figure().gca())
    assert [tick.get_text() for tick in line.axes.get_xticklabels()][:2] == ["V1", "V2"]
    plt.close("all")
    frame = ds.peak_rate.to_dataframe()
    assert frame.loc[(30.0, 25.0, "on", "24c"), "peak_rate"] == ds.peak_rate.sel(
        muEE=30.0, omegaEI=25.0, feedback="on", area="24c"
    )
    # A missing value is in no mean or maximum.
    assert (ds.status == DIVERGED).any()
    assert np.isfinite([ds.peak_rate.max(), ds.peak_rate.mean()]).all()
