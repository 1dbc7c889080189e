"""Designs as their users meet them: tables that cover ranges, and Sobol indices of what came out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.stats import qmc, sobol_indices, uniform

from gbaexplore import Connectome, Final, Model, Study, UserError, designs, open_study, parameter, run
from gbaexplore.analysis import sobol_indices as indices_of
from gbaexplore.basics.names import canonical

RANGES = {"muEE": (31, 53), "omegaEI": (0.1, 1000), "muIE": (-1, 1)}
ALL = [designs.latin_hypercube, designs.halton, designs.sobol, designs.saltelli]


@pytest.mark.parametrize("design", ALL)
def test_a_design_covers_its_ranges_and_is_reproducible(design):
    table = design(64, RANGES, log=["omegaEI"], seed=3)
    pd.testing.assert_frame_equal(table, design(64, RANGES, log=["omegaEI"], seed=3))
    assert not table.equals(design(64, RANGES, log=["omegaEI"], seed=4))
    assert len(table) == (64 if design is not designs.saltelli else 64 * 5)
    assert list(table) == list(RANGES)
    np.testing.assert_array_equal(table, canonical(table.to_numpy()))
    for name, (low, high) in RANGES.items():
        assert low <= table[name].min() < table[name].max() <= high
    for part in (table.muEE, np.log10(table.omegaEI)):  # evenly spread: as many in each quarter
        counts, _ = np.histogram(part, 4, (31, 53) if part.min() > 3 else (-1, 3))
        assert np.ptp(counts) <= 0.15 * len(table)


def test_a_latin_hypercube_has_one_value_in_every_part():
    table = designs.latin_hypercube(50, {"muEE": (0, 50), "muIE": (0, 50)})
    for name in table:
        assert sorted(np.floor(table[name])) == list(range(50))


def test_a_sobol_sequence_fills_space_better_than_chance():
    table = designs.sobol(256, {"muEE": (0, 1), "muIE": (0, 1)})
    random = np.random.default_rng(0).random((256, 2))
    assert qmc.discrepancy(table.to_numpy()) < 0.1 * qmc.discrepancy(random)


@pytest.mark.parametrize("design", [designs.halton, designs.sobol, designs.saltelli])
def test_a_longer_sequence_begins_with_the_same_points(design):
    short, long = design(16, RANGES, seed=1), design(64, RANGES, seed=1)
    pd.testing.assert_frame_equal(short, long.iloc[: len(short)])
    if design is not designs.saltelli:
        pd.testing.assert_frame_equal(design(21, RANGES, seed=1), long.iloc[:21])


@pytest.mark.parametrize("design", ALL)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(n=0), "n = 0; expected a whole number of at least 1"),
        (dict(n=2.5), r"n = 2\.5; expected a whole number"),
        (dict(seed=-1), "seed = -1; expected a whole number of at least 0"),
        (dict(ranges={}), r'ranges = \{\}; expected parameters with their ranges, such as \{"G": \(0, 3\)\}'),
        (dict(ranges={"muEE": (2, 1)}), r'range of "muEE" is \(2, 1\); expected two numbers \(low, high\), low < high'),
        (dict(ranges={"muEE": 3}), 'range of "muEE" is 3; expected two numbers'),
        (dict(ranges={"muEE": (0, np.inf)}), 'range of "muEE" .*; expected (two|finite) numbers'),
        (dict(log=["muIE"]), r'range of "muIE" is \(-1, 1\), which has no logarithm; expected low > 0'),
        (dict(log=["muEe"]), 'log has "muEe"; did you mean "muEE"'),
    ],
)
def test_bad_designs(design, wrong, message):
    with pytest.raises(UserError, match=message):
        design(**{"n": 16, "ranges": RANGES, **wrong})


def test_saltelli_needs_a_power_of_two():
    with pytest.raises(UserError, match="n = 100; expected a power of 2, such as 64 or 128"):
        designs.saltelli(100, RANGES)


# Ishigami's function, as a model of a user's own: what its study file would hold.


class Value(NamedTuple):
    y: Any


@dataclass(frozen=True)
class Ishigami(Model):
    """sin x1 + a sin^2 x2 + b x3^4 sin x1, in each area the same times its gain."""

    x1: float = parameter(0.0, units="1", doc="first argument")
    x2: float = parameter(0.0, units="1", doc="second argument")
    x3: float = parameter(0.0, units="1", doc="third argument")
    a: float = parameter(7.0, units="1", doc="weight of the second argument")

    observables: ClassVar[Mapping[str, str]] = {"y": "1"}

    def rest(self, p, net):
        return {"y": 0 * p.x1}

    def start(self, p, net):
        return Value(jnp.zeros_like(p.x1))

    def step(self, x, p, net, stimulus, dt):
        y = jnp.sin(p.x1) + p.a * jnp.sin(p.x2) ** 2 + 0.1 * p.x3**4 * jnp.sin(p.x1)
        return Value(4 * y * net.values["hierarchy"])


def analytic(a=7.0, b=0.1):
    """First-order and total-order indices; Ishigami & Homma (1990), Saltelli et al. (2008), section 4.4."""
    v1, v2, v13 = 0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, 8 * b**2 * np.pi**8 / 225
    total = v1 + v2 + v13
    return np.array([v1, v2, 0]) / total, np.array([v1 + v13, v2, v13]) / total


ARGUMENTS = {name: (-np.pi, np.pi) for name in ("x1", "x2", "x3")}


@pytest.fixture(scope="module")
def ishigami(tmp_path_factory):
    """The Dataset of the first n groups of points of a store."""
    folder = tmp_path_factory.mktemp("store")
    weights = {"seven": Ishigami(), "zero": Ishigami(a=0.0)}
    areas = Connectome("two", ("one", "other"), np.zeros((2, 2)), values={"hierarchy": [0.25, 0.75]})
    study = Study(
        name="ishigami", connectome=areas, measures=[Final()], dt=0.1, duration=0.2, precision="float64",
        axes={"weight": weights, "point": designs.saltelli(2048, ARGUMENTS)},
    )  # fmt: skip
    run(study, store=folder)
    ds = open_study(folder / "ishigami.zarr")
    return lambda n: ds.isel(point=slice(5 * n))


def test_sobol_indices_of_ishigamis_function(ishigami):
    ds = ishigami(1024)
    found = indices_of(ds, "final_y", resamples=200, seed=1)
    assert found.parameter.values.tolist() == ["x1", "x2", "x3"]
    assert set(found.first_order.dims) == {"parameter", "weight", "area"}
    for weight, a in (("seven", 7.0), ("zero", 0.0)):
        for name, exact in zip(("first_order", "total_order"), analytic(a)):
            one = found[[name, f"{name}_interval"]].sel(weight=weight)
            np.testing.assert_allclose(one[name].sel(area="one"), exact, atol=0.02)
            np.testing.assert_allclose(one[name].sel(area="other"), one[name].sel(area="one"), rtol=1e-6, atol=1e-9)
            low, high = (one[f"{name}_interval"].sel(area="one", bound=bound) for bound in ("low", "high"))
            assert ((low <= exact + 1e-9) & (exact <= high + 1e-9)).all()
            assert float((high - low).max()) < 0.35
    assert found.total_order.sel(weight="zero", parameter="x2").values.tolist() == [0, 0]
    again = indices_of(ds, "final_y", resamples=200, seed=1)
    assert again.identical(found)


def test_more_groups_are_fewer_errors_and_scipy_finds_the_same(ishigami):
    exact, errors, widths = np.concatenate(analytic()), [], []
    for n in (64, 256, 2048):
        ds = ishigami(n).sel(weight="seven", area="one")
        found = indices_of(ds, ds.final_y, resamples=100)
        errors.append(np.abs(np.concatenate([found.first_order, found.total_order]) - exact).max())
        widths.append(float(np.ptp(found.first_order_interval.values, axis=-1).max()))
    assert errors[2] < min(0.01, errors[0])
    assert widths[0] > widths[1] > widths[2]

    def function(x):
        return np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])

    theirs = sobol_indices(func=function, n=2048, dists=[uniform(-np.pi, 2 * np.pi)] * 3, rng=0)
    np.testing.assert_allclose(found.first_order, theirs.first_order, atol=1e-6)
    np.testing.assert_allclose(found.total_order, theirs.total_order, atol=1e-6)


def test_rows_in_another_order_are_the_same_table(ishigami):
    ds = ishigami(64).load()
    shuffled = ds.isel(point=np.random.default_rng(0).permutation(ds.sizes["point"]))
    assert indices_of(shuffled, "final_y", resamples=5).identical(indices_of(ds, "final_y", resamples=5))


def test_without_a_name_they_are_those_of_the_peaks(ishigami):
    ds = ishigami(64).load()
    named = ds.assign(peak_y=ds.final_y.assign_attrs(long_name="peak change of y"))
    assert indices_of(named, resamples=5).equals(indices_of(ds, "final_y", resamples=5))


def test_what_is_no_number_is_refused_or_given_one(ishigami):
    ds = ishigami(64).load()
    with pytest.raises(UserError, match='no variable "final_yy"; did you mean "final_y"'):
        indices_of(ds, "final_yy")
    with pytest.raises(UserError, match=r"no axis is a whole table of designs\.saltelli; expected one"):
        indices_of(ds.isel(point=slice(10, 15)), "final_y")
    with pytest.raises(UserError, match=r"no axis is a whole table of designs\.saltelli; expected one"):
        indices_of(ds.isel(point=slice(3, 13)), "final_y")
    with pytest.raises(UserError, match="the values are along weight, area; expected all of point among them"):
        indices_of(ds, ds.final_y.mean("point"))
    with pytest.raises(UserError, match="4 of 1,280 values are not finite; expected a number at every point"):
        indices_of(ds, ds.final_y.where(ds.point > 0))
    for code, message in (
        (0, "1 points are pending or have failed; expected all of them"),
        (3, "1 points are pending"),
    ):
        other = ds.copy(deep=True)
        other.status[0, 7] = code
        with pytest.raises(UserError, match=message):
            indices_of(other, "final_y", diverged=0.0)
    away = ds.copy(deep=True)
    away.status[0, 7] = 2
    with pytest.raises(UserError, match=r"1 points of 640 diverged; expected narrower ranges, or diverged=\.\.\."):
        indices_of(away, "final_y")
    changed = ds.copy(deep=True)
    changed.final_y[0, 7] = 50.0
    given = indices_of(away, "final_y", diverged=50.0, resamples=5)
    assert given.equals(indices_of(changed, "final_y", resamples=5))
