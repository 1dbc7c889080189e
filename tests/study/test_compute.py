"""A result without a store: that of a run, in all that a Dataset says."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gbaexplore import (
    AcrossSeeds,
    CalibratedAmplitude,
    DelayedThresholdLinear,
    Mean,
    Peak,
    Pulse,
    Sensitivity,
    Spectrum,
    Study,
    ThresholdLinear,
    UserError,
    run,
)


@pytest.fixture(scope="module")
def study(macaque):
    """Labels, numbers, a table, functions, noise, two measures: all that gives a Dataset something to say."""
    return Study(
        name="everything",
        model=ThresholdLinear(restE=20.0, restI=45.0),
        axes={
            "feedback": {"on": macaque, "off": macaque.without_feedback()},
            "muEE": [30.0, 28.0, 29.0],
            "point": pd.DataFrame({"omegaEI": [19.0, 20.0], "seed": [1, 2]}, index=[7, 5]),
        },
        derived={"muIE": lambda muEE, feedback: 25.0 + 0.01 * muEE + (feedback == "on")},
        fixed={"noise": 0.1},
        stimulus=Pulse("V1", 0.05, 0.1, 40.0),
        measures=[Peak(), Mean(window=(0.1, 0.2)), Spectrum(frequencies=[10.0, 20.0], window=(0.0, 0.2))],
        duration=0.2,
        block_points=2,
    )


def test_it_is_the_dataset_of_a_finished_store(study, tmp_path):
    stored, found = run(study, store=tmp_path).load(), study.compute()
    assert stored.attrs.pop("created") <= found.attrs.pop("created")
    xr.testing.assert_identical(found, stored)
    for name in stored.variables:
        assert (name, found[name].dtype) == (name, stored[name].dtype)
        assert {k: type(v) for k, v in found[name].attrs.items()} == {k: type(v) for k, v in stored[name].attrs.items()}
        np.testing.assert_array_equal(found[name].values, stored[name].values)
    assert list(found) == list(stored)
    assert set(found.status.values.ravel()) == {1}


def test_an_axis_out_of_order_is_sorted_and_finds_the_nearest(study):
    assert study.numeric["muEE"].tolist() == [28.0, 29.0, 30.0]
    assert study.template().sel(muEE=28.2, method="nearest").muEE == 28.0


def test_what_a_point_raises_ends_it(make_study):
    class Broken(Peak):
        def finish(self, acc, rest, run):
            raise ZeroDivisionError("no")

    with pytest.raises(UserError, match="the study can't be simulated: ZeroDivisionError: no"):
        make_study(measures=[Broken()]).compute()


def test_more_results_than_memory_are_refused(make_study, monkeypatch):
    def full(*_):
        raise MemoryError

    study = make_study()
    monkeypatch.setattr("gbaexplore.study.computed.np.empty", full)
    with pytest.raises(UserError, match=r"take 0.0 GiB, more than there is memory; .*gbaexplore.run\(study\)"):
        study.compute()


SLOW = {"velocity": lambda muEE: 3.0 if muEE <= 30 else 0.6}
RANDOM = {"noise": lambda muEE: (0.05 if muEE < 29 else 0.0) if muEE <= 30 else 0.3}


@pytest.mark.parametrize(
    ("model", "derived", "measure"),
    [
        pytest.param(DelayedThresholdLinear(), SLOW, Peak(), marks=pytest.mark.slow),
        pytest.param(DelayedThresholdLinear(), SLOW, CalibratedAmplitude("V1", 5.0), marks=pytest.mark.slow),
        (DelayedThresholdLinear(), SLOW | RANDOM, AcrossSeeds(Mean(), 3)),
        pytest.param(ThresholdLinear(), RANDOM, Sensitivity(Peak(), ("muIE", "amplitude")), marks=pytest.mark.slow),
        (ThresholdLinear(), {"restE": lambda muEE: 10.0 if muEE <= 30 else 12.0}, CalibratedAmplitude("V1", 5.0)),
    ],
)
def test_points_outside_the_grid_are_what_a_grid_of_them_gives(make_study, model, derived, measure):
    """With delays, noise and rest of their own, which no point of the grid has."""
    pulse, there = Pulse(area="V1", onset=0.05, duration=0.1, amplitude=20.0), [29.0, 36.0]

    def study(values):
        parts = dict(axes={"muEE": values}, derived=derived, model=model, measures=[measure], stimulus=pulse)
        return make_study(duration=0.3, **parts)

    grid, expected = study([28.0, 30.0]), study(there).compute()
    (variant,) = grid.variants()
    grid.prepare(variant)
    for name, values in grid.run_points(variant, grid.points_at(variant, {"muEE": np.array(there)}), 2).items():
        np.testing.assert_array_equal(values, expected[name].values, err_msg=name)
