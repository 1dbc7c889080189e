"""Matrices of areas in an order of one's own and beside data; fits with the best point marked."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

from gbaexplore import UserError, plots

mpl.use("agg")

AREAS = ["V1", "V2", "V4", "24c"]
RNG = np.random.default_rng(5)
SEEDS = {"seed": [0, 1, 2]}


def made(name, axes, own=None):
    coords = axes | (own or {})
    values = RNG.random([len(labels) for labels in coords.values()])
    state = np.ones([len(labels) for labels in axes.values()], np.uint8)
    attrs = {"units": "1", "long_name": f"the {name}"}
    ds = xr.Dataset({name: (list(coords), values, attrs), "status": (list(axes), state)}, coords)
    return ds.assign_coords(rank=("area", [3.0, 1.0, 4.0, 2.0])) if own else ds


@pytest.fixture
def connected():
    return made("fc_S", {}, {"area": AREAS, "other_area": AREAS})


def names(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


@pytest.mark.parametrize(
    ("order", "areas"), [(None, AREAS), (["24c", "V2"], ["24c", "V2"]), ("rank", ["V2", "24c", "V1", "V4"])]
)
def test_a_matrix_in_an_order_of_ones_own(connected, order, areas):
    (ax,) = plots.matrix(connected, order=order)
    assert names(ax) == areas
    wanted = connected.fc_S.sel(area=areas, other_area=areas)
    np.testing.assert_array_equal(ax.images[0].get_array(), wanted)


@pytest.mark.parametrize("named", [True, False])
def test_a_matrix_beside_data_has_its_colours_and_the_correlation(connected, named):
    values = RNG.random((4, 4))
    data = xr.DataArray(values, dims=("a", "b"), coords={"a": AREAS, "b": AREAS}).isel(a=[3, 1, 0, 2], b=[2, 0, 1, 3])
    model, beside = plots.matrix(connected, order=AREAS[::-1], data=data if named else values)
    np.testing.assert_array_equal(beside.images[0].get_array(), values[::-1, ::-1])
    assert model.images[0].norm is beside.images[0].norm
    off = ~np.eye(4, dtype=bool)
    r = np.corrcoef(connected.fc_S.values[off], values[off])[0, 1]
    assert beside.get_title() == f"data (r = {r:.2f})"


def test_a_matrix_over_seeds_is_the_mean():
    ds = made("fc_S", SEEDS, {"area": AREAS, "other_area": AREAS})
    (ax,) = plots.matrix(ds)
    np.testing.assert_allclose(ax.images[0].get_array(), ds.fc_S.mean("seed"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"variable": "fc"}, 'no matrix "fc"; did you mean "fc_S"'),
        ({"order": "hierarchy"}, 'no values of areas "hierarchy"'),
        ({"order": ["v1"]}, 'no area "v1"; did you mean "V1"'),
        ({"order": ["V1", "V1"]}, "has an area twice"),
        ({"data": np.eye(3)}, r"data have the shape \(3, 3\); expected \(4, 4\)"),
        ({"data": xr.DataArray(np.eye(1), dims=("a", "b"), coords={"a": ["V1"], "b": ["V1"]})}, "data have no 24c"),
    ],
)
def test_what_a_matrix_needs(connected, how, message):
    with pytest.raises(UserError, match=message):
        plots.matrix(connected, **how)


def test_a_matrix_is_of_one_point():
    ds = made("fc_S", {"G": [0.5, 1.0]}, {"area": AREAS, "other_area": AREAS})
    with pytest.raises(UserError, match=r"fc_S has the axes G: 2; select one label of each"):
        plots.matrix(ds)
    with pytest.raises(UserError, match="no matrix of areas by areas"):
        plots.matrix(made("fit", {"G": [0.5, 1.0]}))


@pytest.mark.parametrize("best", ["max", "min"])
@pytest.mark.parametrize("seeds", [{}, SEEDS], ids=["", "seeds"])
def test_a_curve_has_a_star_at_its_best_point_and_is_shown_against_a_value(best, seeds):
    ds = made("fit", {"G": [0.0, 0.5, 1.0, 1.5]} | seeds)
    ax = plots.agreement(ds, best=best, beside={"SC": 0.26})
    mean = ds.fit.mean("seed") if seeds else ds.fit
    at = int(mean.values.argmax() if best == "max" else mean.values.argmin())
    curve, star, line = ax.lines
    np.testing.assert_allclose(curve.get_ydata(), mean)
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (ds.G.values[at], pytest.approx(mean.values[at]))
    assert line.get_ydata()[0] == 0.26
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"best: G = {ds.G.values[at]:g} ({mean.values[at]:.3g})" in words
    assert "SC (0.26)" in words
    assert len(ax.collections) == len(seeds)


def test_a_map_has_a_star_at_its_best_point():
    ds = made("fit", {"G": [0.0, 0.5, 1.0], "sigma": [0.1, 0.2]} | SEEDS)
    ds.status[:, 0, :] = 2  # diverged at this sigma
    ax = plots.agreement(ds, beside={"SC": 0.26})
    mean = ds.fit.mean("seed")
    g = int(mean.values[:, 1].argmax())
    star = next(line for line in ax.lines if line.get_marker() == "*")
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (ds.G.values[g], 0.2)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any(word.startswith(rf"best: G = {ds.G.values[g]:g}, $\sigma$ = 0.2") for word in words), words
    assert "diverged" in words


def test_what_a_fit_needs():
    ds = made("fit", {"G": [0.0, 0.5], "sigma": [0.1, 0.2], "w": [0.0, 1.0]})
    with pytest.raises(UserError, match=r"a picture of agreement has the axes .* select one value of each other"):
        plots.agreement(ds)
    with pytest.raises(UserError, match='best="most"; expected "max" or "min"'):
        plots.agreement(ds, best="most")
    with pytest.raises(UserError, match='no variable "fitt"; did you mean "fit"'):
        plots.agreement(ds, "fitt")
    with pytest.raises(UserError, match="fit has no values here"):
        plots.agreement(ds.isel(w=0).assign(status=ds.status.isel(w=0) * 0))
