"""Parameters that differ from area to area: from `fixed`, from labels, from functions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import reference
import xarray as xr

import gbaexplore as gba
from gbaexplore import (
    AcrossSeeds,
    CalibratedAmplitude,
    Mean,
    ODEModel,
    Peak,
    Pulse,
    Sensitivity,
    SpectralAbscissa,
    Study,
    ThresholdLinear,
    UserError,
    find_boundary,
    parameter,
    replay,
    run,
    simulate,
)
from gbaexplore.analysis import elasticity, stationary_covariance
from gbaexplore.store.info import describe

SHORT = Pulse(area="V1", onset=0.02, duration=0.05, amplitude=41.9)
ABOVE = {"restE": 20.0, "restI": 45.0}


@pytest.fixture
def short_study(macaque):
    def make(**parts):
        given = dict(
            name="areas",
            model=ThresholdLinear(),
            connectome=macaque,
            stimulus=SHORT,
            axes={"muEE": [28.0, 30.0, 33.7]},
            measures=[Peak()],
            duration=0.12,
        )
        return Study(**{**given, **parts})

    return make


@pytest.fixture
def rising(macaque):
    """More inhibition in every area than in the one below: (area,)."""
    return 19.7 + 2 * macaque.values["hierarchy"]


# What is taken.


def test_values_of_areas_are_given_in_order_or_by_name(macaque, short_study, rising):
    areas = list(macaque.areas)
    shuffled = pd.Series(rising, index=areas).sample(frac=1, random_state=1)
    forms = [
        rising,
        rising.tolist(),
        tuple(rising),
        pd.Series(rising),
        dict(zip(areas[::-1], rising[::-1])),
        {**dict(zip(areas[1:], rising[1:])), ...: rising[0]},
        shuffled,
        shuffled.to_xarray().rename(index="area"),
        xr.DataArray(rising, dims="area"),
    ]
    for given in forms:
        study = short_study(fixed={"omegaEI": given})
        np.testing.assert_array_equal(study.template().omegaEI, rising)
    single = short_study(fixed={"omegaEI": {"V1": 21, ...: 20}}).template().omegaEI
    assert (single.dims, single.attrs["units"]) == (("area",), "pA/Hz")
    assert single.sel(area=["V1", "V2", "24c"]).values.tolist() == [21, 20, 20]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([20.0, 21.0], r"has shape \(2,\); expected a finite number, or one for each of the 29 areas of macaque29"),
        (np.ones((29, 1)), r"has shape \(29, 1\)"),
        ({"V1": 20.0}, r"has no value of V2, V4, DP, .* and 23 more; expected one of each area, or one for all others"),
        ({"v1": 20.0, ...: 19.0}, 'no area "v1" in macaque29; did you mean "V1"?'),
        ({1: 20.0, ...: 19.0}, 'no area "1" in macaque29'),
        ({"V1": np.nan, ...: 19.0}, "at V1 = nan; expected a finite number"),
        ({"V1": "20", ...: 19.0}, "at V1 = '20'; expected a finite number"),
        ({"V1": [20.0], ...: 19.0}, r"at V1 has shape \(1,\)"),
        ({}, "has no value of V1"),
        ([20.0] * 28 + [np.inf], "is inf at 24c; expected finite numbers"),
        (["20"] * 29, r"\[0\] = '20'"),
        (pd.Series([1.0, 2.0], index=["V1", "V1"]), "has an area more than once"),
        ("20", "= '20'; expected a finite number"),
    ],
)
def test_what_is_no_value_of_areas_is_told(short_study, given, message):
    with pytest.raises(UserError, match=message) as error:
        short_study(fixed={"omegaEI": given})
    assert str(error.value).startswith('fixed["omegaEI"]')
    assert "\n" not in str(error.value)


def test_values_are_in_the_range_of_the_parameter_in_every_area(short_study):
    with pytest.raises(UserError, match="tauE = 0 s; expected above 0: excitatory time constant"):
        short_study(fixed={"tauE": {"V4": 0.0, ...: 0.02}})
    with pytest.raises(UserError, match=r"restE = 9 Hz is below thresholdE = 10 Hz"):
        short_study(fixed={"restE": {"V4": 9.0, ...: 10.0}})


def test_values_are_compared_area_by_area(short_study, macaque):
    """An area with a low threshold may rest low, whatever the thresholds of others; also along axes."""
    low = {"thresholdE": {"V4": 5.0, ...: 10.0}, "restE": {"V4": 6.0, ...: 12.0}}
    short_study(fixed=low)
    simulate(ThresholdLinear(), macaque, SHORT, duration=0.12, window=(0.0, 0.001), **low)
    rising = {"restE": lambda muEE, net: muEE / 28 * np.where(np.array(net.areas) == "V4", 6.0, 12.0)}
    short_study(fixed={"thresholdE": low["thresholdE"]}, derived=rising)
    with pytest.raises(UserError, match="restE = 6 Hz is below thresholdE = 7 Hz"):
        short_study(fixed={"thresholdE": {"V4": 7.0, ...: 10.0}}, derived=rising)
    with pytest.raises(UserError, match="restE = 6 Hz is below thresholdE = 7 Hz"):
        simulate(ThresholdLinear(), macaque, SHORT, thresholdE={"V4": 7.0, ...: 10.0}, restE=low["restE"])


@pytest.mark.parametrize("name", ["amplitude", "seed", "velocity"])
def test_some_values_belong_to_no_area(short_study, name):
    with pytest.raises(UserError, match=rf'fixed\["{name}"\] has shape \(29,\); expected a finite number$'):
        short_study(model=gba.DelayedThresholdLinear(), fixed={name: np.ones(29)})


def test_arrays_that_change_later_change_no_study(short_study, rising):
    given, label = rising.copy(), rising.copy()
    study = short_study(fixed={"omegaEI": given}, axes={"muIE": {"own": label}})
    before, recipe = study.compute(), study.recipe()
    given += 1
    label += 1
    np.testing.assert_array_equal(study.compute().peak_rate, before.peak_rate)
    assert study.recipe() == recipe


# Against numbers that were made otherwise.


def in_numpy(macaque, **values):
    """Peaks by the independent integration, which takes columns for values of areas: (area,)."""
    columns = {name: value[:, None] if np.ndim(value) else value for name, value in values.items()}
    given = dict(onset=SHORT.onset, pulse=SHORT.duration, amplitude=SHORT.amplitude, window=(0.0, 0.12))
    found, _ = reference.peaks(macaque.values["hierarchy"], macaque.weights, **given, **columns)
    return found[:, 0]


def test_a_study_agrees_with_an_integration_in_numpy(macaque, short_study, rising):
    h = macaque.values["hierarchy"]
    own = {"omegaEI": rising, "tauE": 0.015 + 0.01 * h, "restE": 12 + h, "eta": 0.5 + 0.3 * h, "muIE": 25 - h}
    ds = short_study(fixed=own, axes={"muEE": [28.0, 33.7]}, precision="float64").compute()
    for muEE in (28.0, 33.7):
        expected = in_numpy(macaque, muEE=muEE, **own)
        np.testing.assert_allclose(ds.peak_rate.sel(muEE=muEE), expected, rtol=1e-9, atol=1e-11)
    single = short_study(fixed=own, axes={"muEE": [28.0, 33.7]}).compute()
    np.testing.assert_allclose(single.peak_rate, ds.peak_rate, rtol=2e-5)


@pytest.mark.slow
def test_delays_and_stiff_equations_take_values_of_areas(macaque):
    """The same number in all areas gives the bits of that number."""
    models = [gba.DelayedThresholdLinear(), gba.WilsonCowan(method="rk4")]
    for model, name, value in zip(models, ("omegaEI", "c1"), (19.7, 15.0)):
        made = [
            Study(
                "one",
                {"muEE": [1.0, 2.0], name: [value]},
                [Peak(), Mean(suffix="_mean")],
                model,
                SHORT,
                macaque,
                duration=0.12,
            ),
            Study(
                "one",
                {"muEE": [1.0, 2.0]},
                [Peak(), Mean(suffix="_mean")],
                model,
                SHORT,
                macaque,
                {name: [value] * 29},
                duration=0.12,
            ),
        ]
        one, many = (study.compute() for study in made)
        assert one.time_to_peak.values.any()
        for variable in one.data_vars:
            np.testing.assert_array_equal(one[variable].values[:, 0], many[variable].values)


MEASURES = [
    Peak(),
    SpectralAbscissa(),
    Sensitivity(Peak(), ("omegaEI", "muEE"), suffix="_s"),
    CalibratedAmplitude(area="V1", target=30.0),
]


@pytest.mark.slow
def test_the_same_number_in_all_areas_gives_the_bits_of_that_number(short_study):
    one = short_study(axes={"muEE": [28.0, 30.0], "omegaEI": [20.5]}, measures=MEASURES).compute()
    many = short_study(axes={"muEE": [28.0, 30.0]}, fixed={"omegaEI": [20.5] * 29}, measures=MEASURES).compute()
    assert len(many.data_vars) == 7
    for name, found in many.data_vars.items():
        np.testing.assert_array_equal(found.values, one[name].values[:, 0], err_msg=str(name))


@pytest.mark.slow
def test_noise_and_averages_over_seeds_take_values_of_areas(macaque, short_study):
    cases = {
        "one number": {"noise": 0.2},
        "areas": {"noise": [0.2] * 29},
        "one area": {"noise": {"V4": 0.2, ...: 0.0}, "muEE": 0.0, "muIE": 0.0},
    }
    measures = [AcrossSeeds(Mean(), seeds=3)]
    noisy = short_study(measures=measures, model=ThresholdLinear(**ABOVE), noise="independent", axes={"case": cases})
    spread = noisy.compute().mean_rate_variance
    one, many = spread.sel(case="one number"), spread.sel(case="areas")
    np.testing.assert_allclose(many.mean(), one.mean(), rtol=0.5)
    assert (spread.sel(case="one area") > 0).values.tolist() == [area == "V4" for area in macaque.areas]


@pytest.mark.slow
def test_bits_depend_on_neither_blocks_nor_the_store_nor_an_extension(short_study, rising, tmp_path, run_in_full):
    fixed, derived = {"omegaEI": rising}, {"muIE": lambda muEE, net: 25.3 + muEE * net.values["hierarchy"] / 100}
    whole = short_study(fixed=fixed, derived=derived).compute()
    parts = short_study(fixed=fixed, derived=derived, block_points=1)
    np.testing.assert_array_equal(parts.compute().peak_rate, whole.peak_rate)
    np.testing.assert_array_equal(run_in_full(parts)["peak_rate"], whole.peak_rate)
    small = short_study(fixed=fixed, derived=derived, axes={"muEE": [28.0, 33.7]})
    store = tmp_path / "areas.zarr"
    run(small, store=store)
    np.testing.assert_array_equal(
        run(short_study(fixed=fixed, derived=derived), store=store).peak_rate, whole.peak_rate
    )
    with pytest.raises(UserError, match=r"another study's results .*by_area.omegaEI"):
        run(short_study(fixed={"omegaEI": rising + 1e-9}, derived=derived), store=store)
    with pytest.raises(UserError, match='derived "muIE" has other values'):
        run(short_study(fixed=fixed, derived={"muIE": lambda muEE, net: 25.3 + net.values["hierarchy"]}), store=store)


# Labels.


def test_labels_stand_for_values_of_the_parameter_of_their_axis(macaque, short_study, rising, tmp_path):
    axes = {"muEE": [28.0, 30.0], "omegaEI": {"flat": 20, "map": dict(zip(macaque.areas, rising))}}
    ds = run(short_study(axes=axes, block_points=1), store=tmp_path / "labels.zarr")
    assert ds.omegaEI.values.tolist() == ["flat", "map"]
    assert ds.omegaEI_values.dims == ("omegaEI", "area")
    assert ds.omegaEI_values.attrs["units"] == "pA/Hz"
    flat = short_study(axes={"muEE": [28.0, 30.0]}, fixed={"omegaEI": 20}).compute()
    by_area = short_study(axes={"muEE": [28.0, 30.0]}, fixed={"omegaEI": rising}).compute()
    np.testing.assert_array_equal(ds.peak_rate.sel(omegaEI="flat"), flat.peak_rate)
    np.testing.assert_array_equal(ds.peak_rate.sel(omegaEI="map"), by_area.peak_rate)
    assert "omegaEI            20, by area, 19.7 to 21.7 pA/Hz" in describe(tmp_path / "labels.zarr")


@pytest.mark.slow
def test_a_label_with_values_of_areas_is_added_to_a_store(short_study, rising, tmp_path):
    store, labels = tmp_path / "more.zarr", {"flat": 20.0, "map": rising}
    run(short_study(axes={"omegaEI": {"flat": 20.0}}), store=store)
    ds = run(short_study(axes={"omegaEI": labels}), store=store)
    np.testing.assert_array_equal(ds.peak_rate, short_study(axes={"omegaEI": labels}).compute().peak_rate)
    assert ds.omegaEI_values.sel(omegaEI="flat").values.tolist() == [20.0] * 29


def test_labels_stand_for_values_of_several_parameters_and_for_objects(macaque, short_study, rising):
    study = short_study(
        model=None,
        stimulus=None,
        axes={
            "group": {
                "control": (ThresholdLinear(), {}),
                "patients": (ThresholdLinear(muIE=25.0), {"omegaEI": rising, "muEE": 30}),
            },
            "into": {"V1": SHORT, "V2": Pulse(area="V2", onset=0.02, duration=0.05, amplitude=41.9)},
        },
    )
    ds = study.compute()
    assert ds.omegaEI.dims == ("group", "area")
    assert (ds.muEE.dims, ds.muEE.values.tolist()) == (("group",), [28.0, 30.0])
    found = short_study(axes={"muIE": [25.0]}, fixed={"omegaEI": rising, "muEE": 30.0}).compute()
    np.testing.assert_array_equal(ds.peak_rate.sel(group="patients", into="V1"), found.peak_rate[0])


@dataclass(frozen=True)
class Heard(ODEModel):
    """Areas that relax towards what they hear."""

    tau: float = parameter(0.02, units="s", doc="time constant", above=0)
    observables = {"x": "1"}

    def sends(self, x, p):
        return {"x": x.x / p.tau}

    def derivative(self, x, p, net, stimulus):
        return {"x": (-x.x + stimulus) / p.tau + net.received.x}


@pytest.mark.slow
def test_a_label_may_leave_the_velocity_infinite(macaque):
    given = dict(measures=[Peak()], model=Heard(), stimulus=SHORT, connectome=macaque, duration=0.12)
    ds = Study("late", {"way": {"at once": {}, "late": {"velocity": 3.5, "tau": [0.015] * 29}}}, **given).compute()
    assert ds.velocity.values.tolist() == [np.inf, 3.5]
    one = Study("late", {"velocity": [3.5], "tau": [0.015]}, **given).compute()
    np.testing.assert_array_equal(ds.peak_x.sel(way="late"), one.peak_x[0, 0])


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"omegaEI": {"a": 20.0, "b": {"V1": 1}}}, 'axis "omegaEI": omegaEI of "b" has no value of V2'),
        (
            {"w": {"a": 20.0}},
            'axis "w": "a" is 20.0; .* or {parameter: value}, since Thresh',
        ),
        ({"w": {"a": {"omegaei": 20.0}}}, 'no parameter "omegaei" in ThresholdLinear; did you mean "omegaEI"'),
        ({"w": {"a": {"seed": 1}}}, 'no parameter "seed" in ThresholdLinear'),
        ({"w": {"a": {1: 1}}}, 'axis "w": "a" has the name 1; expected text'),
        ({"w": {"a": {"omegaEI": 1}, "b": SHORT}}, 'axis "w" mixes kinds'),
        ({"omegaEI": {"a": None}}, 'axis "omegaEI": "a" is NoneType; expected a connectome'),
        ({"omegaEI": {"a": "20"}}, 'axis "omegaEI": "a" is str; expected a connectome'),
        ({"omegaEI": {"a": True}}, 'axis "omegaEI": omegaEI of "a" = True; expected a finite number'),
        ({"w": {"a": {"omegaEI": 1}}, "omegaEI": [20.0]}, '"omegaEI" is given by axes and by the labels of "w"'),
        ({"w": {"a": {"omegaEI": 1}}, "omegaEI": {"b": 1}}, '"omegaEI" is given by two axes of labels'),
    ],
)
def test_what_no_label_can_stand_for_is_told(short_study, axes, message):
    with pytest.raises(UserError, match=message) as error:
        short_study(axes=axes)
    assert "\n" not in str(error.value)


# Functions.


def test_a_function_gives_values_of_areas_from_others_and_from_the_network(macaque, short_study):
    study = short_study(
        axes={"muEE": [28.0, 30.0], "eta": [0.0, 0.68]},
        fixed={"omegaIE": {"V1": 13.0, ...: 12.2}},
        derived={
            "omegaEI": lambda muEE, net: muEE - 8.3 + net.values["hierarchy"],
            "muIE": lambda omegaEI, omegaIE: omegaEI + omegaIE.sum() / 100,
            "omegaII": lambda net: {"V1": 12.0, ...: 12.5},
        },
    )
    ds = study.compute()
    assert ds.omegaEI.dims == ds.muIE.dims == ("muEE", "area")
    assert ds.omegaII.dims == ("area",)
    h = macaque.values["hierarchy"]
    np.testing.assert_allclose(ds.omegaEI, np.array([[19.7], [21.7]]) + h, rtol=1e-11)
    omegaIE = np.where(np.arange(29) == 0, 13.0, 12.2)
    values = dict(muEE=30.0, eta=0.68, omegaEI=21.7 + h, omegaIE=omegaIE, omegaII=ds.omegaII.values)
    expected = in_numpy(macaque, **values, muIE=21.7 + h + omegaIE.sum() / 100)
    np.testing.assert_allclose(ds.peak_rate.sel(muEE=30, eta=0.68), expected, rtol=2e-5)
    points = short_study(fixed={"omegaIE": study.fixed["omegaIE"]}, axes={"muEE": [30.0]}, derived=study.derived)
    at = points.points_at(next(points.variants()), {"muEE": np.array([28.0, 30.0])})
    np.testing.assert_array_equal(at["omegaEI"], ds.omegaEI)


def test_a_function_may_give_one_number_at_some_points_and_one_for_each_area_at_others(short_study):
    def omegaEI(muEE, kind, net):
        return 20.0 if kind == "flat" or muEE > 29 else 20 + net.values["hierarchy"]

    kinds = {kind: ThresholdLinear() for kind in ("flat", "map")}
    ds = short_study(model=None, axes={"muEE": [28.0, 30.0], "kind": kinds}, derived={"omegaEI": omegaEI}).compute()
    assert ds.omegaEI.dims == ("kind", "muEE", "area")
    same = ds.peak_rate.sel(kind="map") == ds.peak_rate.sel(kind="flat")
    assert same.all("area").values.tolist() == [False, True]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda muEE, net: net.weights[0, :5],
            r"at muEE = 28.0 has shape \(5,\); expected a finite number, or one for",
        ),
        (
            lambda muEE, net: net.values["myelin"],
            'raised UserError at muEE = 28.0: the connectome has no "myelin" among',
        ),
        (lambda muEE, net: np.where(net.values["hierarchy"] > 0, 1.0, np.nan), "is nan at V1; expected finite numbers"),
        (lambda muEE, net: {"v1": 1.0}, 'no area "v1" in macaque29; did you mean "V1"'),
        (lambda muEE, net: net, "at muEE = 28.0 = <Connectome macaque29"),
        (lambda muEE, network: 1.0, 'no parameter "network" in ThresholdLinear'),
    ],
)
def test_a_wrong_result_is_one_line_with_the_line_of_the_function(short_study, function, message):
    with pytest.raises(UserError, match=message) as error:
        short_study(derived={"omegaEI": function})
    assert str(error.value).startswith('derived "omegaEI"')
    assert "\n" not in str(error.value)
    if "network" not in message:
        assert str(error.value).endswith(f" (test_values_of_areas.py, line {function.__code__.co_firstlineno})")


# What else takes them.


@pytest.mark.slow
def test_one_run_and_a_replay_have_the_studys_bits(macaque, short_study, rising, tmp_path):
    axes = {"muEE": [28.0, 30.0], "omegaEI": {"flat": 19.7, "map": rising}}
    derived = {"muIE": lambda muEE, net: 25.3 + net.values["hierarchy"]}
    study = short_study(axes=axes, derived=derived, fixed={"tauI": {"V4": 0.012, ...: 0.01}})
    ds = run(study, store=tmp_path / "areas.zarr")
    for label, omegaEI in {"flat": 19.7, "map": pd.Series(rising, index=macaque.areas)[::-1]}.items():
        at = replay(tmp_path / "areas.zarr", muEE=30, omegaEI=label)
        one = simulate(
            ThresholdLinear(), macaque, SHORT, muEE=30, omegaEI=omegaEI, muIE=ds.muIE.sel(muEE=30),
            tauI={"V4": 0.012, ...: 0.01}, duration=0.12,
        )  # fmt: skip
        np.testing.assert_array_equal(one.E, at.E)
        peak = (one.E - one.E[0]).max("time").astype(np.float32)
        np.testing.assert_allclose(ds.peak_rate.sel(muEE=30, omegaEI=label), peak, rtol=1e-6, atol=1e-6)
    assert one.omegaEI.dims == one.tauI.dims == ("area",)
    assert one.attrs["muEE"] == 30
    assert "omegaEI" not in one.attrs
    with pytest.raises(UserError, match=r"omegaEI has shape \(2,\); expected a finite number, or one for each"):
        simulate(ThresholdLinear(), macaque, SHORT, omegaEI=[1.0, 2.0])


@pytest.mark.slow
def test_a_sensitivity_is_to_the_same_number_added_in_all_areas(short_study, rising):
    measures = [Peak(), Sensitivity(Peak(), ("omegaEI", "muEE"))]
    given = dict(measures=measures, axes={"muEE": [28.0]}, precision="float64")
    ds = short_study(fixed={"omegaEI": rising}, **given).compute()
    up, down = (short_study(fixed={"omegaEI": rising + d}, **given).compute().peak_rate for d in (1e-5, -1e-5))
    found = ds.d_peak_rate.sel(parameter="omegaEI")
    np.testing.assert_allclose(found, (up - down) / 2e-5, rtol=1e-5, atol=1e-8)
    with pytest.raises(UserError, match="omegaEI has a number for each area, and no single one that could grow by 1 %"):
        elasticity(ds)


@pytest.mark.slow
def test_a_labels_number_is_the_value_in_an_elasticity(short_study):
    measures = [Peak(), Sensitivity(Peak(), ("omegaEI",))]
    labels = short_study(measures=measures, axes={"omegaEI": {"low": 19.7, "high": 21.0}}).compute()
    numbers = short_study(measures=measures, axes={"omegaEI": [19.7, 21.0]}).compute()
    np.testing.assert_array_equal(elasticity(labels).values, elasticity(numbers).values)


def test_a_calibration_reaches_its_target_with_values_of_areas(macaque, short_study, rising):
    calibrated = CalibratedAmplitude(area="V2", target=5.0)
    ds = short_study(fixed={"omegaEI": rising}, measures=[calibrated], axes={"muEE": [30.0]}, precision="float64")
    amplitude = ds.compute().calibrated_amplitude.item()
    pulse = Pulse(area="V1", onset=0.02, duration=0.05, amplitude=amplitude)
    there = short_study(fixed={"omegaEI": rising}, stimulus=pulse, axes={"muEE": [30.0]}).compute()
    assert there.peak_rate.sel(area="V2").item() == pytest.approx(5.0, rel=1e-5)


def open_matrix(macaque, **own):
    """The linearised network's matrix, column by column from the equations with every rectifier open."""
    p = {**reference.DEFAULTS, **own}
    gain = 1 + p["eta"] * macaque.values["hierarchy"]

    def slope(x):
        E, I = x[:29], x[29:]
        IE = p["betaE"] * (gain * (p["omegaEE"] * E + p["muEE"] * (macaque.weights @ E)) - p["omegaEI"] * I)
        II = p["betaI"] * (gain * (p["omegaIE"] * E + p["muIE"] * (macaque.weights @ E)) - p["omegaII"] * I)
        return np.concatenate([(IE - E) / p["tauE"], (II - I) / p["tauI"]])

    return np.column_stack([slope(one) for one in np.eye(58)])


def test_the_linearised_network_has_the_values_of_areas(macaque, short_study, rising):
    h = macaque.values["hierarchy"]
    own = {"omegaEI": rising, "tauE": 0.015 + 0.01 * h, "eta": 0.3 + h / 5}
    ds = short_study(fixed=own, measures=[SpectralAbscissa()], axes={"muEE": [28.0]}, precision="float64").compute()
    matrix = open_matrix(macaque, **own)
    assert ds.spectral_abscissa.item() == pytest.approx(np.linalg.eigvals(matrix).real.max(), rel=1e-9)
    noise = 0.1 + h
    found = stationary_covariance(ThresholdLinear(**ABOVE), macaque, noise=noise, **own)
    strengths = np.concatenate([(noise / own["tauE"]) ** 2, (noise / 0.01) ** 2])
    covariance = found.covariance.values.reshape(58, 58)
    np.testing.assert_allclose(matrix @ covariance + covariance @ matrix.T, -np.diag(strengths), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "name"), [(gba.WilsonCowan(), "c1"), (gba.LocalCircuit(), "wEE")])
def test_other_models_are_linearised_with_values_of_areas(macaque, model, name):
    def abscissa(axes, **fixed):
        study = Study("linear", axes, [SpectralAbscissa()], model, None, macaque, fixed, duration=0.01)
        return study.compute().spectral_abscissa.values

    value = type(model).parameters()[name].default
    one, other = abscissa({name: [value, 2 * value]})
    assert abscissa({}, **{name: [value] * 29}) == one
    assert one < abscissa({}, **{name: {"V4": 2 * value, ...: value}}) <= other


@pytest.mark.slow
def test_a_boundary_is_found_with_values_of_areas(short_study, rising):
    axes = {
        "muEE": [20.0, 60.0],
        "omegaEI": [15.0, 25.0],
        "tau": {"same": {"tauI": 0.01}, "own": {"tauI": rising / 2000}},
    }
    study = short_study(
        axes=axes,
        fixed={"omegaIE": {"V1": 12.0, ...: 12.2}},
        derived={"muIE": lambda muEE, net: 25.3 + muEE * net.values["hierarchy"] / 100},
    )
    found = find_boundary(study, most=60, tolerance={"muEE": 4.0})
    points = found.points
    assert points.muIE.dims == ("point", "area")
    assert points.tauI.dims == ("point", "area")
    assert points.omegaIE.dims == ("area",)
    at = points.isel(point=int((points.tau == "own").values.argmax()))
    own = {"muEE": [at.muEE.item()], "omegaEI": [at.omegaEI.item()]}
    again = short_study(axes={**own, "tau": axes["tau"]}, fixed=study.fixed, derived=study.derived).compute()
    np.testing.assert_array_equal(at.tauI, rising / 2000)
    np.testing.assert_array_equal(again.peak_rate.sel(tau="own").values[0, 0], at.peak_rate)
