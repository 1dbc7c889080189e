"""What is asked of a fit that it can't do: one line, and nothing is written."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from fits import RANGES

from gbaexplore import (
    CMAES,
    ByGroup,
    DifferentialEvolution,
    LeastSquares,
    Mean,
    Optimiser,
    Sensitivity,
    SumOfSquares,
    UserError,
    log,
)

ONE = {"P": (1.2, 3.0)}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(study="small"), "study = 'small'; expected a Study"),
        (dict(free={}), "free = {}; expected ranges by name"),
        (dict(free={"P": 3.0}), r'free\["P"\] = 3.0; expected \(low, high\) or gba.log'),
        (dict(free={"P": (3.0, 1.0)}), r'free\["P"\] goes from 3 to 1; expected the lower end first'),
        (dict(free={"P": (1.0, float("nan"))}), r'free\["P"\]\[1\] = nan; expected a finite number'),
        (dict(free={"p": (1.0, 2.0)}), 'no parameter "p" in WilsonCowan; did you mean "P"'),
        (dict(free={"tauE": (-1.0, 1.0)}), "tauE"),
        (dict(free={"a b": (0.0, 1.0)}), "free has the name 'a b'"),
        (dict(budget=0), "budget = 0; expected a whole number of at least 1"),
        (dict(budget=2.5), "budget = 2.5; expected a whole number"),
        (dict(seeds=0), "seeds = 0; expected a whole number of at least 1"),
        (dict(seeds=2), "seed is given, but nothing in the study is random"),
        (dict(seed=-1), "seed = -1; expected a whole number of at least 0"),
        (dict(optimiser="cma"), "optimiser = 'cma'; expected one such as gba.CMAES"),
        (dict(loss=3), "loss = 3; expected a function of a Dataset"),
        (dict(loss={}), "loss has no parts"),
        (dict(loss={"a b": len}), "loss has the part 'a b'; expected a word"),
        (dict(loss=len, weights={"fc": 1.0}), 'weights: no part "fc"'),
        (dict(weights={"E": "much"}), 'the weight of "E" = .much.'),
        (dict(loss=len, optimiser=LeastSquares()), "LeastSquares needs residuals; expected a loss of gba.SumOfSquares"),
        (dict(held_out=len), "held_out = .*; expected losses by name"),
        (dict(derived={"Q": lambda slop: slop}), 'derived "Q": no parameter "slop"'),
    ],
)
def test_what_can_not_be_fitted_is_refused_when_it_is_made(make_fit, parts, message):
    with pytest.raises(UserError, match=message):
        make_fit(**{"free": ONE, **parts})


def test_what_the_study_has_is_not_free(make_fit, small):
    for study, message in (
        (dataclasses.replace(small, axes={"P": [1.0, 2.0]}), '"P" is given by axes and by the table "evaluation"'),
        (dataclasses.replace(small, fixed={"P": 1.0}), '"P" is given by fixed and by the table "evaluation"'),
        (dataclasses.replace(small, axes={"evaluation": {"a": {"Q": 1.0}}}), "which is the fit's"),
    ):
        with pytest.raises(UserError, match=message):
            make_fit(study=study, free=ONE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: log(0.0, 1.0), "needs numbers above 0"),
        (lambda: log(2.0, 1.0), "goes from 2 to 1; expected the lower end first"),
        (lambda: log("a", 1.0), "expected a finite number"),
        (lambda: ByGroup({}, (0, 1)), "expected a mapping from groups"),
        (lambda: ByGroup({"a b": ["V1"]}, (0, 1)), "the group 'a b'; expected a word"),
        (lambda: ByGroup({"a": "V1"}, (0, 1)), "expected a list of names"),
        (lambda: ByGroup({"a": ["V1"], "b": ["V1"]}, (0, 1)), '"V1" is in a group twice'),
        (lambda: CMAES(population=1), "CMAES.population. = 1; expected a whole number of at least 2"),
        (lambda: CMAES(restarts=0), "CMAES.restarts. = 0"),
        (lambda: CMAES(spread=0.0), "CMAES.spread=0.0.: expected a share"),
        (lambda: DifferentialEvolution(population=4), "population. = 4; expected a whole number of at least 5"),
        (lambda: DifferentialEvolution(tolerance=0), "tolerance=0.: expected a share"),
        (lambda: LeastSquares(step=-1), "step=-1.: expected a number above 0"),
        (lambda: SumOfSquares(3, 1.0), "of=3.: expected the name of a variable"),
        (lambda: SumOfSquares("mean_E", [1.0, 2.0]), "the data of mean_E has shape"),
        (lambda: SumOfSquares("mean_E", {"V1": float("nan")}), "the data of mean_E is nan"),
        (lambda: SumOfSquares("mean_E", 1.0, scale=0.0), "expected numbers above 0"),
    ],
)
def test_parts_that_make_no_sense(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda ds: ds.mean_Ee, "the loss raised AttributeError.*mean_Ee.*variables mean_E, mean_I"),
        (lambda ds: "good", "the loss returned 'good'; expected a DataArray of numbers"),
        (lambda ds: 1.0, "the loss returned 1.0; expected a DataArray"),
        (lambda ds: ds.mean_E.mean("area").values, "the loss returned array"),
        (lambda ds: ds.mean_E.mean("area") > 0, "the loss returned bool along"),
        (lambda ds: ds.mean_E, r"the loss is along \(evaluation, area\); expected a number for each evaluation"),
        (lambda ds: ds.mean_E.mean(), r"the loss is along \(\); expected a number for each"),
        (lambda ds: ds.mean_E.mean("area") * np.nan, "the loss is not finite at 4 of 4 evaluations"),
        (SumOfSquares("mean_Ee", 1.0), 'no variable "mean_Ee"; did you mean "mean_E"'),
        (SumOfSquares("mean_E", {"V1": 1.0}), "the data of mean_E have area V1, which it lacks"),
        (SumOfSquares("mean_E", xr.DataArray([1.0], dims="lag")), "are along lag; expected dimensions of it"),
        ({"E": lambda ds: ds.mean_E.mean("area"), "I": lambda ds: "x"}, "the loss 'I' returned 'x'"),
    ],
)  # fmt: skip
def test_a_loss_that_is_none_is_refused_before_anything_is_written(make_fit, tmp_path, loss, message):
    with pytest.raises(UserError, match=message):
        make_fit(loss=loss, optimiser=CMAES(population=4), budget=4).run(tmp_path)
    assert list(tmp_path.glob("*.zarr")) == []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wrong(Optimiser):
    """An optimiser that proposes what is no point."""

    def search(self, parameters, start, rng):
        yield np.zeros(parameters)


def test_proposals_that_are_no_points(make_fit, tmp_path):
    with pytest.raises(UserError, match=r"Wrong proposed an array of shape \(2,\); expected .*\(points, 2\)"):
        make_fit(optimiser=Wrong()).run(tmp_path)


def test_nothing_that_has_a_loss(make_fit, small, tmp_path):
    study = dataclasses.replace(small, ceiling=0.001)
    with pytest.raises(UserError, match="none of 4 evaluations has a loss"):
        make_fit(study=study, optimiser=CMAES(population=4), budget=4).run(tmp_path)


def test_groups_are_of_the_networks_areas(make_fit):
    for groups, message in (
        ({"x": ["a", "b"]}, 'the groups of "P" lack c'),
        ({"x": ["a", "b"], "y": ["c", "d"]}, 'the groups of "P" have d, which three lacks'),
    ):
        with pytest.raises(UserError, match=message):
            make_fit(free={"P": ByGroup(groups, (1.0, 2.0))})


def test_names_that_the_fit_gives(make_fit, small):
    study = dataclasses.replace(small, axes={"generation": {"a": {"Q": 0.0}}})
    with pytest.raises(UserError, match='"generation" is a name that the fit gives'):
        make_fit(study=study)


@pytest.mark.slow
def test_sensitivities_of_some_parameters_are_not_taken(make_fit, small, squares, tmp_path):
    mean = Mean(window=(0.01, 0.03))
    study = dataclasses.replace(small, measures=[mean, Sensitivity(mean, ("P",))])
    found = make_fit(study=study, loss=squares["E"], free=RANGES, optimiser=LeastSquares(), budget=3).run(tmp_path)
    assert found.added == 3  # the start, and a point beside for each parameter


def test_without_its_package_an_optimiser_says_what_to_install(make_fit, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cma", None)
    with pytest.raises(UserError, match=r'CMAES needs the package cma; expected pip install "gbaexplore\[fit\]"'):
        make_fit(optimiser=CMAES())
