"""Fits: known parameters are recovered, every evaluation is in the store, and a fit goes on where it was."""

import dataclasses
import itertools
import shutil

import numpy as np
import pytest
import xarray as xr
from fits import RANGES, TRUE

from gbaexplore import (
    CMAES,
    ByGroup,
    DifferentialEvolution,
    LeastSquares,
    Mean,
    Optimiser,
    Sensitivity,
    UserError,
    log,
    open_study,
    replay,
)
from gbaexplore.store import integrity
from gbaexplore.store.info import describe


def wilson_cowan(net, P, c1, seconds=0.03, dt=1e-3, first=10):
    """Mean E and I of Wilson & Cowan (1972) in an Euler integration, written anew in float64."""
    E = I = np.zeros(len(net.areas))
    P = np.broadcast_to(P, E.shape)

    def response(x, a, theta):
        def at(x):
            return 1 / (1 + np.exp(-a * (x - theta)))

        return at(x) - at(0.0), 1 - at(0.0)

    sums, count = np.zeros((2, len(E))), 0
    for step in range(round(seconds / dt)):
        SE, kE = response(c1 * E - 12 * I + net.weights @ E + P, 1.3, 4.0)
        SI, kI = response(15 * E - 3 * I, 2.0, 3.7)
        E, I = E + dt * (-E + (kE - E) * SE) / 0.01, I + dt * (-I + (kI - I) * SI) / 0.01
        if step >= first:  # a sample is the state after its step
            sums, count = sums + np.array([E, I]), count + 1
    return sums / count


@pytest.mark.parametrize(
    ("optimiser", "budget"),
    [
        pytest.param(CMAES(population=8, restarts=2), 240, marks=pytest.mark.slow, id="cma"),
        pytest.param(DifferentialEvolution(population=12), 600, marks=pytest.mark.slow, id="de"),
        pytest.param(LeastSquares(restarts=2), 80, id="squares"),
    ],
)
def test_known_parameters_are_recovered_and_every_evaluation_is_kept(make_fit, tmp_path, optimiser, budget):
    fit = make_fit(optimiser=optimiser, budget=budget)
    found = fit.run(tmp_path)
    assert found.loss < 0.1
    for name, value in TRUE.items():
        assert found.best[name] == pytest.approx(value, rel=0.02)
    ds = open_study(tmp_path / "fit_small.zarr")
    assert ds.sizes["evaluation"] <= budget
    assert {"P", "c1", "generation", "restart"} <= set(ds.coords)
    assert ds.loss.dtype == np.float64
    np.testing.assert_allclose(ds.loss, ds.loss_E + ds.loss_I, rtol=1e-12)
    # The loss is that of what is stored, and what is stored is right.
    net, i = fit.study.connectome, ds.sizes["evaluation"] // 2
    own = wilson_cowan(net, ds.P.values[i], ds.c1.values[i])
    np.testing.assert_allclose(ds.mean_E[i], own[0], rtol=1e-4)
    np.testing.assert_allclose(ds.mean_I[i], own[1], rtol=1e-4)
    true = wilson_cowan(net, **TRUE)
    assert ds.loss.values[i] == pytest.approx(float((((own - true) / 0.01) ** 2).sum()), rel=2e-3, abs=1e-6)
    assert integrity.check(tmp_path / "fit_small.zarr") == []
    assert "evaluation" in describe(tmp_path / "fit_small.zarr")
    again = replay(tmp_path / "fit_small.zarr", evaluation=i, window=(0.01, 0.03))
    np.testing.assert_allclose(again.E.mean("time"), own[0], rtol=1e-4)
    # A finished fit does nothing.
    assert fit.run(tmp_path).added == 0
    assert found.restarts.sizes["restart"] == optimiser.restarts
    assert "nothing was left to do" in str(fit.run(tmp_path))


def same(one, other):
    xr.testing.assert_identical(one.drop_attrs(deep=False).load(), other.drop_attrs(deep=False).load())


SQUARES = pytest.param(LeastSquares(restarts=2), marks=pytest.mark.slow, id="squares")


@pytest.mark.parametrize("optimiser", [pytest.param(CMAES(population=8, restarts=2), id="cma"), SQUARES])
def test_a_fit_in_parts_is_the_fit_in_one(make_fit, tmp_path, optimiser):
    whole = make_fit(optimiser=optimiser, budget=20).run(tmp_path / "whole").dataset
    for budget in (5, 12, 20):
        np.random.seed(budget)  # noqa: NPY002 - nobody's random numbers but its own
        found = make_fit(optimiser=optimiser, budget=budget).run(tmp_path / "parts")
        assert found.dataset.sizes["evaluation"] == budget
        assert found.added in (5, 7, 8)
    same(found.dataset, whole)
    # It goes on from any part of what was written.
    assert make_fit(optimiser=optimiser, budget=9).run(tmp_path / "parts").added == 0


def test_what_has_diverged_has_no_loss_and_the_search_goes_on(small, tmp_path, make_fit):
    study = dataclasses.replace(small, ceiling=0.3)
    fit = make_fit(study=study, optimiser=CMAES(population=6), budget=36)
    found = fit.run(tmp_path)
    ds = found.dataset
    diverged = ds.status.values == 2
    assert 0 < diverged.sum() < 36
    np.testing.assert_array_equal(np.isnan(ds.loss), diverged)
    assert f"{diverged.sum()} diverged" in str(found)
    assert np.isfinite(found.loss)
    assert fit.run(tmp_path).added == 0


def test_the_axes_of_the_study_are_in_each_evaluation(small, squares, make_fit, tmp_path):
    study = dataclasses.replace(small, axes={"Q": [0.0, 0.4], "drive": {"on": {"muIE": 0.5}, "off": {"muIE": 0.0}}})

    def loss(ds):
        assert ds.status.dims == ("evaluation", "Q", "drive")
        return ((ds.mean_E.sel(drive="on") - ds.mean_E.sel(drive="off").mean("Q")) ** 2).mean("area")

    found = make_fit(study=study, loss=loss, optimiser=CMAES(population=4), budget=8).run(tmp_path)
    ds = found.dataset
    assert ds.loss.dims == ("evaluation", "Q", "drive")
    expected = ((ds.mean_E.sel(drive="on") - ds.mean_E.sel(drive="off").mean("Q")) ** 2).mean("area")
    np.testing.assert_allclose(ds.loss.sel(drive="on"), expected, rtol=1e-6)
    np.testing.assert_allclose(found.losses, expected.mean("Q"), rtol=1e-6)
    i = int(np.nanargmin(found.losses))
    point = dataclasses.replace(small, fixed={**found.best, "Q": 0.4, "muIE": 0.5}).compute()
    np.testing.assert_allclose(ds.mean_E.sel(Q=0.4, drive="on")[i], point.mean_E, rtol=1e-6)


@pytest.mark.slow
def test_a_map_with_a_slope_and_groups_of_areas(make_fit, small, tmp_path):
    """Values of areas are free by a function of the network, or by groups."""
    net = small.connectome
    true = 1.3 * (1 + 0.4 * net.values["myelin"])
    data = xr.DataArray(wilson_cowan(net, true, 16.0)[0], {"area": list(net.areas)}, ["area"])
    from gbaexplore import SumOfSquares

    loss = SumOfSquares("mean_E", data, scale=0.01)
    by_map = make_fit(
        free={"base": (1.0, 1.8), "slope": (-0.5, 1.0)},
        derived={"P": lambda base, slope, net: base * (1 + slope * net.values["myelin"])},
        loss=loss, optimiser=LeastSquares(), budget=60, name="by_map",
    ).run(tmp_path)  # fmt: skip
    assert by_map.best == {"base": pytest.approx(1.3, rel=1e-3), "slope": pytest.approx(0.4, rel=1e-2)}
    np.testing.assert_allclose(by_map.best_evaluation.P, true, rtol=2e-3)
    groups = ByGroup({"low": ["a"], "high": ["b", "c"]}, (1.0, 2.0))
    by_group = make_fit(free={"P": groups}, loss=loss, optimiser=LeastSquares(), budget=60, name="by_group")
    found = by_group.run(tmp_path)
    assert list(found.best) == ["P_low", "P_high"]
    assert found.best["P_low"] == pytest.approx(true[0], rel=0.05)
    assert true[1] < found.best["P_high"] < true[2]
    np.testing.assert_allclose(
        found.best_evaluation.P, [found.best["P_low"], found.best["P_high"], found.best["P_high"]], rtol=1e-9
    )


@pytest.mark.parametrize("optimiser", [pytest.param(CMAES(population=6), id="cma"), SQUARES])
def test_what_the_model_refuses_is_no_evaluation_and_the_search_goes_on(make_fit, tmp_path, optimiser):
    parts = dict(derived={"muEE": lambda P: 2.2 - P}, optimiser=optimiser, budget=18)
    found = make_fit(**parts).run(tmp_path)
    assert found.refused
    assert "muEE = -" in found.refused[0]
    assert f"{len(found.refused)} proposals refused, such as: muEE = -" in str(found)
    assert found.dataset.P.max() <= 2.2
    assert found.profiles.P.max() <= 2.2
    assert make_fit(**parts).run(tmp_path).added == 0
    with pytest.raises(UserError, match=r"refuses all of .* proposals, such as: muEE = -"):
        make_fit(**parts | {"free": {"P": (1.2, 3.0), "c1": (9.0, 17.0)}, "optimiser": Corner(), "name": "no"}).run(
            tmp_path
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corner(Optimiser):
    """An optimiser that proposes the upper ends alone."""

    def search(self, parameters, start, rng):
        yield np.ones((1, parameters))


@pytest.mark.slow
def test_least_squares_take_the_derivatives_that_the_study_measures(small, make_fit, squares, tmp_path):
    mean = Mean(window=(0.01, 0.03))
    study = dataclasses.replace(small, measures=[mean, Sensitivity(mean, ("P", "c1"))], precision="float64")
    fit = make_fit(
        study=study, loss=squares["E"], free={"P": log(1.2, 3.0), "c1": RANGES["c1"]}, optimiser=LeastSquares()
    )
    found = fit.run(tmp_path)
    by_differences = make_fit(loss=squares["E"], optimiser=LeastSquares(), name="d").run(tmp_path)
    assert found.added < by_differences.added  # no points beside
    assert found.converged == by_differences.converged == [0]
    assert found.best == {name: pytest.approx(value, rel=1e-3) for name, value in TRUE.items()}


def test_other_seeds_tell_what_the_fit_has_not_seen(tmp_path, make_fit):
    from gbaexplore import Connectome, Fit, Kuramoto, Study

    net = Connectome("pair", ("a", "b", "c"), weights=np.ones((3, 3)) - np.eye(3))
    study = Study(
        name="noisy", model=Kuramoto(), connectome=net, axes={}, measures=[Mean(window=(0.01, 0.05))], dt=1e-3,
        duration=0.05,
    )  # fmt: skip
    free = {next(n for n in Kuramoto.parameters() if n not in ("velocity",)): (0.5, 3.0)}
    fit = Fit(
        study, free, lambda ds: (ds.mean_sin**2).mean("area"), seeds=3, budget=8, optimiser=CMAES(population=4),
        held_out={"fourth powers": lambda ds: (ds.mean_sin**4).mean("area")},
    )  # fmt: skip
    found = fit.run(tmp_path)
    assert found.dataset.loss.dims == ("evaluation", "seed")
    assert found.spread == pytest.approx(float(found.best_evaluation.loss.std(ddof=1)))
    held = open_study(tmp_path / "fit_noisy_held_out.zarr")
    assert held.seed.values.tolist() == [3, 4, 5]
    assert found.held_out["with other seeds"] == pytest.approx(float(held.loss.mean()))
    own = (found.best_evaluation.mean_sin**4).mean()
    assert found.held_out["fourth powers"] == pytest.approx(float(own), rel=1e-5)


def test_profiles_are_the_loss_beside_the_best(make_fit, tmp_path, small, squares):
    found = make_fit(optimiser=LeastSquares(), budget=60).run(tmp_path)
    profiles = found.profiles
    assert (profiles.loss > found.loss).all()
    for name in RANGES:
        own = profiles.isel(evaluation=profiles.parameter.values == name)
        other = next(n for n in RANGES if n != name)
        np.testing.assert_allclose(own[other], found.best[other])
        assert len(np.unique(own[name])) == own.sizes["evaluation"] >= 8
    point = {name: float(profiles[name][3]) for name in RANGES}
    ds = dataclasses.replace(small, fixed=point).compute()
    expected = sum(float((((ds[s.of] - s.data) / 0.01) ** 2).sum()) for s in squares.values())
    assert float(profiles.loss[3]) == pytest.approx(expected, rel=1e-5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid(Optimiser):
    """All points of a grid, at once: an optimiser of one's own."""

    side: int = 4

    def search(self, parameters, start, rng):
        told = yield np.array(list(itertools.product(np.linspace(0, 1, self.side), repeat=parameters)))
        assert len(told.loss) == self.side**parameters


def test_an_optimiser_of_ones_own(make_fit, tmp_path):
    found = make_fit(optimiser=Grid()).run(tmp_path)
    assert found.dataset.sizes["evaluation"] == 16
    assert sorted(set(found.dataset.P.values.tolist())) == pytest.approx(np.linspace(*RANGES["P"], 4).tolist())
    assert found.converged == [0]


def test_a_store_of_another_fit_is_refused_and_says_what_differs(make_fit, small, squares, tmp_path):
    make_fit(optimiser=Grid()).run(tmp_path)
    others = [
        (dict(free={**RANGES, "P": (1.2, 2.9)}), r"fit.free.P: .*3.0.* there, .*2.9"),
        (dict(optimiser=Grid(side=3)), "fit.optimiser.side: 4 there, 3 here"),
        (dict(loss=squares["E"]), "fit.loss"),
        (dict(seed=1), "fit.seed: 0 there, 1 here"),
        (dict(study=dataclasses.replace(small, fixed={"thetaE": 3.9})), "thetaE"),
    ]
    for parts, message in others:
        with pytest.raises(UserError, match=message):
            make_fit(**{"optimiser": Grid(), **parts}).run(tmp_path)
    assert make_fit(optimiser=Grid()).run(tmp_path).added == 0

    class Other(Grid):
        def search(self, parameters, start, rng):
            yield np.full((16, parameters), 0.5) + np.linspace(0, 0.1, 16)[:, None]

    Other.__name__ = "Grid"
    with pytest.raises(UserError, match="another proposal as evaluation 0"):
        make_fit(optimiser=Other()).run(tmp_path)


def test_a_damaged_or_other_store_is_refused(make_fit, small, tmp_path):
    from gbaexplore import run

    run(small, store=tmp_path / "fit_small.zarr")
    with pytest.raises(UserError, match="holds a study's results; expected a fit's"):
        make_fit(optimiser=Grid()).run(tmp_path)
    shutil.rmtree(tmp_path / "fit_small.zarr")
    make_fit(optimiser=Grid()).run(tmp_path)
    (tmp_path / "fit_small.zarr" / "P" / "c" / "0").write_bytes(b"x")
    with pytest.raises(UserError, match="is damaged"):
        make_fit(optimiser=Grid()).run(tmp_path)
