"""Boundaries: found in full, to the tolerance, from few points, with the bits of the grid."""

import dataclasses
import functools
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import gbaexplore as gba
from gbaexplore import Connectome, Final, Model, Peak, Study, UserError, find_boundary, parameter
from gbaexplore.analysis import propagation_ratio


class Value(NamedTuple):
    value: object


# Distances from a boundary, positive on its far side.
SHAPES = {
    "circle": lambda x, y, z, np: np.hypot(x, y) - 2.0,
    "across": lambda x, y, z, np: x - 0.37 + 0 * y,
    "along": lambda x, y, z, np: y - 0.37 + 0 * x,
    "islands": lambda x, y, z, np: np.minimum(np.hypot(x + 3, y + 0.3) - 1.1, np.hypot(x - 2.2, y - 0.7) - 1.7),
    "corner": lambda x, y, z, np: np.maximum(x - 0.413, y - 0.713),
    "fold": lambda x, y, z, np: (x - y**3 / 2 + 1.5 * y) / np.hypot(1.0, 1.5 * (y**2 - 1)),
    "nowhere": lambda x, y, z, np: 1.0 + x**2 + 0 * y,
    "sphere": lambda x, y, z, np: np.sqrt(x**2 + y**2 + z**2) - 2.0,
}
CRITERIA = {
    "number": lambda ds: ds.final_value.isel(area=0, drop=True),
    "yes or no": lambda ds: ds.final_value.isel(area=0, drop=True) > 0,
}
AXES = {"x": [-5.0, 5.2], "y": [-4.0, 4.1]}
PLANE = list(SHAPES)[:-1]


@dataclass(frozen=True)
class Shape(Model):
    """Ends at a known function of its parameters, whose zeros are the boundary; the hierarchy says which."""

    x: float = parameter(0.0, units="mm", doc="first")
    y: float = parameter(0.0, units="1", doc="second")
    z: float = parameter(0.0, units="1", doc="third")

    observables = {"value": "1"}

    def rest(self, p, net):
        return {"value": 0 * p.x}

    def start(self, p, net):
        return Value(0 * p.x)

    def step(self, x, p, net, stimulus, dt):
        found = [shape(p.x, p.y, p.z, jnp) for shape in SHAPES.values()]
        return Value(jnp.select([net.values["hierarchy"] == number / 16 for number in range(len(found))], found))


def shape(kind):
    return Connectome(kind, ("A",), weights=[[0.0]], values={"hierarchy": [list(SHAPES).index(kind) / 16]})


def shapes(*kinds, **parts):
    axes = {**AXES, "shape": {kind: shape(kind) for kind in kinds}}
    given = dict(name="shapes", model=Shape(), axes=axes, measures=[Final()])
    return Study(**{**given, "dt": 0.1, "duration": 0.1, "precision": "float64", **parts})


@functools.cache
def found(of="number", tolerance=0.01):
    return find_boundary(shapes(*PLANE), CRITERIA[of], tolerance={"x": tolerance, "y": tolerance})


def lines(boundary, kind):
    return [curve for _, curve in boundary.sel(shape=kind).curves.groupby("curve")]


def error(boundary, kind):
    """How far the curves lie from the true boundary at most, at their vertices and between them."""
    worst = 0.0
    for curve in lines(boundary, kind):
        ends = np.stack([curve.x.values, curve.y.values])
        share = np.linspace(0, 1, 6)[:, None, None]
        x, y = np.moveaxis(ends[:, :-1] + share * np.diff(ends), 1, 0)
        worst = max(worst, np.abs(SHAPES[kind](x, y, 0.0, np)).max())
    return worst


@pytest.mark.parametrize("of", CRITERIA)
@pytest.mark.parametrize("kind", ["circle", "across", "along", "islands", "corner", "fold"])
def test_a_boundary_of_any_shape_is_found_to_the_tolerance(kind, of):
    # The tip of a corner is cut off by what is smaller than the mesh.
    assert error(found(of), kind) <= (0.02 if kind == "corner" else 0.01)
    curves = found(of).sel(shape=kind).curves
    assert curves.sizes["vertex"] > 10
    assert curves.complete == 1
    assert float((curves.x_width + curves.y_width).max()) <= 0.005 + 1e-9
    assert (curves.x.attrs["units"], curves.x_width.attrs["units"]) == ("mm", "mm")


@pytest.mark.parametrize("of", CRITERIA)
def test_all_of_a_boundary_is_found(of):
    islands = lines(found(of), "islands")
    lengths = sorted(float(np.hypot(np.diff(line.x), np.diff(line.y)).sum()) for line in islands)
    np.testing.assert_allclose(lengths, [2 * np.pi * 1.1, 2 * np.pi * 1.7], rtol=0.02)
    for line in islands:
        assert (line.x[0], line.y[0]) == (line.x[-1], line.y[-1])  # closed
    (fold,) = lines(found(of), "fold")
    assert float(fold.y.max() - fold.y.min()) > 4  # through its folds
    assert (np.diff(fold.x) > 0).any()
    assert (np.diff(fold.x) < 0).any()
    (across,) = lines(found(of), "across")
    assert sorted([float(across.y[0]), float(across.y[-1])]) == AXES["y"]  # from end to end


def test_no_boundary_has_no_vertices():
    nowhere = found("number").sel(shape="nowhere")
    assert gba.plots.boundary(nowhere).get_lines() == []
    assert nowhere.curves.sizes["vertex"] == 0
    assert nowhere.points.sizes["point"] == 81


def test_half_the_tolerance_halves_the_error():
    tolerances = (0.04, 0.02, 0.01, 0.005)
    errors = []
    for tolerance in tolerances:
        study = shapes("circle")
        boundary = find_boundary(study, CRITERIA["yes or no"], tolerance={"x": tolerance, "y": tolerance}, start=6)
        errors.append(error(boundary, "circle"))
    assert all(worst <= tolerance for worst, tolerance in zip(errors, tolerances))
    assert errors[-1] < errors[0] / 4


def test_points_are_few_each_once_and_a_number_needs_fewer_than_a_yes_or_no():
    sizes = {of: found(of).sel(shape="circle").points.sizes["point"] for of in CRITERIA}
    assert sizes["number"] < 0.8 * sizes["yes or no"]
    assert sizes["yes or no"] < 0.01 * 1020 * 810  # of a grid's
    assert found("number").points.hierarchy.dims == ("point", "area"), "the shapes' connectomes differ in it"
    points = (
        found("number").points.drop_vars("hierarchy").to_dataframe().groupby(["x", "y", "shape"]).criterion.nunique()
    )
    assert len(points) == found("number").points.sizes["point"]
    sign = SHAPES["circle"](*(found("number").sel(shape="circle").points[name].values for name in "xy"), 0.0, np)
    np.testing.assert_allclose(found("number").sel(shape="circle").points.criterion, sign, atol=1e-12)


@pytest.mark.slow
def test_a_surface_in_three_dimensions():
    study = shapes(axes={**AXES, "z": [-4.2, 4.0]}, connectome=shape("sphere"))
    boundary = find_boundary(study, CRITERIA["number"], tolerance=dict.fromkeys("xyz", 0.2), start=5)
    corners = boundary.curves.corners.values
    at = np.stack([boundary.curves[name].values for name in "xyz"], axis=1)
    assert np.abs(np.linalg.norm(at[corners].mean(axis=1), axis=1) - 2).max() <= 0.2
    assert set(boundary.curves.curve.values.tolist()) == {0}
    # Closed: each side of a triangle is another's, the other way round; and its outer side is the positive one.
    sides = np.concatenate([corners[:, [i, (i + 1) % 3]] for i in range(3)])
    assert {tuple(side) for side in sides.tolist()} == {tuple(side) for side in sides[:, ::-1].tolist()}
    volume = np.einsum("ti,ti->", at[corners[:, 0]], np.cross(at[corners[:, 1]], at[corners[:, 2]])) / 6
    np.testing.assert_allclose(volume, 4 / 3 * np.pi * 8, rtol=0.1)
    drawn = gba.plots.boundary(boundary)
    assert drawn.get_zlabel() == "third z"


def test_a_search_is_deterministic_and_goes_on_from_known_points(tmp_path):
    study, of = shapes("circle", "islands"), CRITERIA["number"]
    whole = find_boundary(study, of, tolerance={"x": 0.05})
    part = find_boundary(study, of, tolerance={"x": 0.05}, most=300)
    assert (part.curves.complete, whole.curves.complete) == (0, 1)
    assert part.points.sizes["point"] < whole.points.sizes["point"]
    part.points.to_zarr(tmp_path / "points.zarr", consolidated=False)
    calls = []
    known = xr.open_zarr(tmp_path / "points.zarr", consolidated=False)
    again = find_boundary(
        study, lambda ds: calls.append(ds.sizes["point"]) or of(ds), tolerance={"x": 0.05}, known=known
    )
    xr.testing.assert_identical(again.curves, whole.curves)
    assert sum(calls) == again.points.sizes["point"] == whole.points.sizes["point"]
    assert calls[0] == part.points.sizes["point"]
    # Points that were not finished are computed again.
    known = part.points.assign(status=("point", np.where(np.arange(part.points.sizes["point"]) < 40, 3, 1)))
    xr.testing.assert_identical(find_boundary(study, of, tolerance={"x": 0.05}, known=known).curves, whole.curves)


LINKED = {"derived": {"muIE": lambda muEE: 25.3 + 0.01 * muEE}}


@pytest.fixture(scope="module")
def small(macaque, pulse):
    """A part of the propagation map, with a parameter that follows another, and what it finds there."""
    study = Study(
        name="part",
        model=gba.ThresholdLinear(),
        axes={
            "muEE": np.linspace(33, 39, 3),
            "omegaEI": [19.5, 20.5],
            "feedback": {"on": macaque, "off": macaque.without_feedback()},
        },
        stimulus=pulse,
        measures=[Peak(window=(1.75, 3.0)), gba.SpectralAbscissa()],
        **LINKED,
    )
    return study, find_boundary(study, ratio, tolerance={"muEE": 0.01}, start=3)


def ratio(ds):
    return propagation_ratio(ds).fillna(np.inf) - 0.01


@pytest.mark.slow
def test_points_have_the_bits_that_a_grid_gives(small):
    study, boundary = small
    points = boundary.sel(feedback="off").points.isel(point=slice(None, None, 7))
    for i in (0, 3, points.sizes["point"] - 1):
        one = points.isel(point=i)
        axes = {**study.axes, "muEE": [float(one.muEE), 45.0], "omegaEI": [float(one.omegaEI)]}
        grid = dataclasses.replace(study, axes=axes)
        there = grid.compute().sel(feedback="off").isel(muEE=0, omegaEI=0)
        for name in there:
            np.testing.assert_array_equal(one[name].values, there[name].values, err_msg=name)
    np.testing.assert_allclose(points.muIE, 25.3 + 0.01 * points.muEE)
    assert points.muIE.attrs["units"] == "pA/Hz"


def test_the_map_changes_within_the_tolerance_of_the_curve(small):
    study, boundary = small
    for variant in study.variants():
        curves = boundary.sel(**variant.labels).curves
        at = {name: np.repeat(curves[name].values, 2) for name in study.numeric}
        at["muEE"] += np.tile([-0.01, 0.01], curves.sizes["vertex"])
        values = study.in_queues(256).run_points(variant, study.points_at(variant, at), len(at["muEE"]))
        peaks = values["peak_rate"]
        above = ~(peaks[:, -1] / peaks[:, 0] < 0.01) | (values["status"] == 2)
        assert (above.reshape(-1, 2) == [False, True]).all()


def test_curves_are_drawn_over_a_map(small):
    _, boundary = small
    ax = gba.plots.boundary(boundary)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["feedback on", "feedback off"]
    other = gba.plots.boundary(boundary.sel(feedback="on"), x="omegaEI", ax=gba.plots.figure()[1], color="red")
    assert "omega" in other.get_xlabel()
    assert "mu" in other.get_ylabel()
    assert {line.get_color() for line in other.get_lines()} == {"red"}
    with pytest.raises(UserError, match=r"a boundary over eta, muEE, omegaEI; expected its parameters: muEE, omegaEI"):
        gba.plots.boundary(boundary, x="eta", y="muEE")


@pytest.mark.slow
def test_a_measure_that_solves_for_its_points_is_a_criterion(macaque, pulse):
    study = Study(
        name="solved",
        model=gba.ThresholdLinear(),
        connectome=macaque,
        stimulus=pulse,
        axes={"muEE": [28.0, 32.0], "omegaEI": [19.7, 25.2]},
        measures=[gba.CalibratedAmplitude(area="V1", target=100.0, window=(1.75, 2.5))],
        duration=2.5,
    )
    boundary = find_boundary(study, lambda ds: ds.calibrated_amplitude - 45, tolerance={"muEE": 0.1}, start=3)
    assert boundary.curves.sizes["vertex"] > 2
    near = boundary.points.calibrated_amplitude
    assert float(np.abs(near - 45).min()) < 0.1


@pytest.mark.parametrize(
    ("parts", "search", "message"),
    [
        ({"axes": {"x": [0, 1]}}, {}, r"1 axes of numbers \(x\); expected two or three"),
        ({"axes": {name: [0, 1] for name in ("x", "y", "z", "amplitude")}}, {}, "4 axes of numbers"),
        ({"axes": {"x": [0, 1], "y": [2.5]}}, {}, r'axis "y" has one value; .* fixed=\{"y": 2.5\}'),
        (
            {"axes": {"x": [0, 1], "y": [0, 1], "at": pd.DataFrame({"z": [0.0, 1.0]})}},
            {},
            'axis "at" has no values betw',
        ),
        ({}, {"tolerance": {"X": 0.1}}, r'tolerance of "X"; did you mean "x"\? .*Axes of numbers: x, y'),
        ({}, {"tolerance": {"x": 0.0}}, r"the tolerance of x is 0.0; expected a number above 0"),
        ({}, {"tolerance": {"x": True}}, r"the tolerance of x = True; expected a finite number"),
        ({}, {"start": 1}, "start = 1; expected a whole number of at least 2"),
        ({}, {"of": "stable"}, "of = 'stable'; expected \"diverged\" or a function"),
        ({}, {"of": lambda ds: ds.final_value}, r"the criterion returned float64 along \('point', 'area'\)"),
        ({}, {"of": lambda ds: 3.0}, "the criterion returned float; expected"),
        ({}, {"of": lambda ds: ds.final_value.isel(area=0) * np.nan}, "the criterion is NaN at 81 of 81 points"),
        ({}, {"known": xr.Dataset()}, "known is no Dataset of points of a search"),
    ],
)
def test_mistakes_are_told(parts, search, message):
    given = {"axes": AXES, "connectome": shape("circle")}
    with pytest.raises(UserError, match=message):
        find_boundary(shapes(**{**given, **parts}), **{"of": CRITERIA["number"], **search})


def test_points_of_another_study_are_refused():
    with pytest.raises(UserError, match=r"the known points are another study's \(.*expected those of this one"):
        find_boundary(shapes("circle"), CRITERIA["number"], known=found("number").points)


def test_a_label_that_is_not_there_is_told():
    with pytest.raises(UserError, match='no label "square" on an axis "shape"; expected one of circle, across'):
        found("number").sel(shape="square")
    with pytest.raises(UserError, match='no label "on" on an axis "feedback"; expected one of shape'):
        found("number").sel(feedback="on")


def _has_the_bits_of_a_grid(study):
    """Compare a point between the values of the study's axes, as the search computes it, with a grid that holds it."""
    points = find_boundary(study, lambda ds: ds.peak_rate.sel(area="V2") - 3.0, start=3, most=10).points
    one = points.isel(point=int(np.flatnonzero(points.muEE == study.numeric["muEE"].mean())[0]))
    grid = dataclasses.replace(study, axes={axis: [float(one[axis])] for axis in study.numeric}).compute()
    for name in grid:
        np.testing.assert_array_equal(one[name].values, grid[name].values[0, 0], err_msg=name)
    return one


@pytest.mark.parametrize(
    ("model", "derived"),
    [
        (
            gba.ThresholdLinear(restE=20.0, restI=45.0),
            {"noise": lambda muEE: 0.1 * max(0.0, (muEE - 28) * (34 - muEE))},
        ),
        pytest.param(
            gba.DelayedThresholdLinear(),
            {"velocity": lambda muEE: 0.5 + (muEE - 31) ** 2},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_noise_and_delays_that_only_points_between_the_grids_values_have(macaque, model, derived):
    study = Study(
        name="between", model=model, connectome=macaque, axes={"muEE": [28.0, 34.0], "omegaEI": [19.0, 26.0]},
        derived=derived, stimulus=gba.Pulse("V1", 0.05, 0.1, 40.0), measures=[Peak()], duration=0.3,
    )  # fmt: skip
    one = _has_the_bits_of_a_grid(study)
    if "noise" in derived:
        assert one.peak_rate.sel(area="24c") > 20, "without noise it is 0.0001 Hz"


@pytest.mark.slow
def test_what_a_derived_parameter_does_between_the_grids_values_is_checked(macaque):
    def study(threshold):
        return Study(
            name="between",
            model=gba.ThresholdLinear(background=False),
            connectome=macaque,
            axes={"muEE": [30.0, 32.0], "omegaEI": [19.0, 20.0]},
            derived={"thresholdE": threshold},
            fixed={"thresholdI": 0.0},
            measures=[Peak()],
            duration=0.1,
        )

    # Not at rest between the grid's values, which are: what is simulated has to say so.
    _has_the_bits_of_a_grid(study(lambda muEE: (muEE - 30) * (32 - muEE)))
    with pytest.raises(UserError, match=r"thresholdE = -1 Hz; expected at least 0"):
        find_boundary(study(lambda muEE: (muEE - 30) * (muEE - 32)), start=3)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["diverged", "one per cent"])
def test_the_propagation_map_from_a_tenth_of_its_points(of):
    """Every change along muEE, in each of the map's rows, found by bisection of rows, lies within 0.01 of the curve."""
    study = gba.load_study("gba_grid")
    criterion = of if of == "diverged" else ratio
    found = find_boundary(study, criterion, tolerance={"muEE": 0.01, "omegaEI": 0.0015})
    assert found.points.sizes["point"] <= study.size / 10
    assert found.curves.attrs["complete"] == 1
    rows, every = study.numeric["omegaEI"], study.numeric["muEE"][::10]
    for variant in study.variants():
        curves = [curve for _, curve in found.sel(**variant.labels).curves.groupby("curve")]
        inside = functools.partial(_inside, study.in_queues(2048), variant, of)
        grid = inside(*(values.ravel() for values in np.meshgrid(every, rows))).reshape(len(rows), -1)
        row, column = np.nonzero(grid[:, 1:] != grid[:, :-1])
        low, high, first = every[column], every[column + 1], grid[row, column]
        for _ in range(12):
            middle = (low + high) / 2
            same = inside(middle, rows[row]) == first
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        assert len(row) > 25
        off = [min(_distances(curves, x, y)) for x, y in zip((low + high) / 2, rows[row])]
        assert max(off) < 0.01


def _inside(study, variant, of, muEE, omegaEI):
    values = study.run_points(variant, study.points_at(variant, {"muEE": muEE, "omegaEI": omegaEI}), len(muEE))
    diverged = values["status"] == 2
    if of == "diverged":
        return diverged
    areas = list(study.areas)
    return diverged | (values["peak_rate"][:, areas.index("24c")] > 0.01 * values["peak_rate"][:, areas.index("V1")])


def _distances(curves, x, y):
    """How far, along muEE, the curves are from a point."""
    for curve in curves:
        at, height = curve.muEE.values, curve.omegaEI.values
        low, high = np.minimum(height[:-1], height[1:]), np.maximum(height[:-1], height[1:])
        for i in np.flatnonzero((low <= y) & (y <= high)):
            part = 0.5 if high[i] == low[i] else (y - height[i]) / (height[i + 1] - height[i])
            yield abs(at[i] + part * (at[i + 1] - at[i]) - x)


MISSING = {
    "peak": lambda ds: ds.peak_rate.sel(area="V1", drop=True) > 5,
    "not above": lambda ds: ~(ds.peak_rate.sel(area="V1", drop=True) > 5),
    "share": lambda ds: ds.peak_rate.sel(area="24c", drop=True) > 0.01 * ds.peak_rate.sel(area="V1", drop=True),
    "difference": lambda ds: ds.peak_rate.sel(area="24c", drop=True) - ds.peak_rate.sel(area="V1", drop=True) > 0,
    "all": lambda ds: (ds.peak_rate < 300).all("area"),
    "is there": lambda ds: ds.peak_rate.sel(area="V1", drop=True).notnull(),
}
SAID = {
    "peak": lambda ds: MISSING["peak"](ds) | (ds.status == 2),
    "bounded and": lambda ds: MISSING["share"](ds) & (ds.status == 1),
    "number": lambda ds: ds.peak_rate.sel(area="V1", drop=True).fillna(np.inf) - 5,
    "when": lambda ds: ds.diverged_at < 0.2,
}


@pytest.fixture(scope="module")
def diverging():
    pulse = gba.Pulse(area="V1", onset=0.02, duration=0.1, amplitude=40.0)
    return Study(
        name="d",
        model=gba.ThresholdLinear(),
        connectome=gba.load_connectome("macaque29"),
        stimulus=pulse,
        axes={"muEE": [28.0, 70.0], "omegaEI": [17.0, 22.0]},
        measures=[Peak(), gba.Divergence()],
        duration=0.3,
    )


@pytest.mark.parametrize("of", MISSING)
def test_a_criterion_of_what_points_that_diverged_lack_is_refused(diverging, of):
    with pytest.raises(UserError, match=r"points lack, as they diverged .*ds.status == 2.*gba.Divergence"):
        find_boundary(diverging, MISSING[of], start=4, most=1)


@pytest.mark.parametrize("of", SAID)
def test_a_criterion_that_says_on_which_side_they_are_is_taken(diverging, of):
    points = find_boundary(diverging, SAID[of], start=4, most=1).points
    assert (points.status == 2).any()
    assert (points.status == 1).any()


def test_a_tolerance_is_any_number():
    one, other = (
        find_boundary(shapes("circle"), CRITERIA["number"], tolerance={"x": v}) for v in (0.5, Decimal("0.5"))
    )
    assert one.curves.identical(other.curves)
