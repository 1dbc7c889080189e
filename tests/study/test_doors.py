"""What users give as axes, seeds and settings: taken as what it says, or refused in a line that says what was found."""

from decimal import Decimal
from fractions import Fraction

import dask.array as da
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import sparse

from gbaexplore import (
    AcrossSeeds,
    CalibratedAmplitude,
    Connectome,
    Final,
    Mean,
    Peak,
    Pulse,
    Quantile,
    Sensitivity,
    Study,
    ThresholdLinear,
    Trace,
    UserError,
    Variance,
    replay,
    run,
    simulate,
)


@pytest.mark.parametrize(
    "values",
    [
        (28, 30.5, 31),
        np.array([28, 30.5, 31], np.float32),
        np.ma.array([28, 30.5, 31]),
        pd.Series([28, 30.5, 31], index=[5, 6, 7]),
        pd.Index([28, 30.5, 31]),
        pd.array([28, 30.5, 31], "Float64"),
        pd.Categorical([28, 30.5, 31]),
        xr.DataArray([28, 30.5, 31], dims="anything"),
        da.from_array(np.array([28, 30.5, 31])),
        jnp.array([28, 30.5, 31]),
        np.array([28, 30.5, 31], object),
        [np.float16(28), 30.5, np.int8(31)],
    ],
    ids=lambda values: type(values).__name__,
)
def test_arrays_of_any_library_are_an_axis(make_study, values):
    assert make_study(axes={"muEE": values}).numeric["muEE"].tolist() == [28.0, 30.5, 31.0]


def test_ranges_of_single_precision_and_through_zero_have_the_labels_that_users_write(make_study):
    axes = {"muEE": jnp.linspace(20, 21, 11), "amplitude": np.arange(-0.3, 0.35, 0.1), "muIE": range(20, 23)}
    ds = make_study(axes=axes).template()
    assert ds.sel(muEE=20.1, amplitude=0.0, muIE=21).status == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({28, 30}, "= {28, 30}; expected finite numbers"),
        ((v for v in (28, 30)), "= <generator"),
        (np.matrix([28.0, 30.0]), r"has shape \(1, 2\)"),
        (np.float64(28), r"has shape \(\)"),
        (28, r"has shape \(\)"),
        ([1j], r"\[0\] = 1j"),
        (["28", 30], r"\[0\] = '28'"),
        ([28, None], r"\[1\] = None"),
        (b"28", "= b'28'"),
        ([np.inf], "has inf"),
        (np.ma.array([28.0, 30.0], mask=[0, 1]), "has masked values"),
        (pd.Series([28, None], dtype="Int64"), "has nan"),
        (pd.Series(["a"], dtype="category"), r"\[0\] = 'a'"),
        (pd.to_datetime(["2020-01-01"]), "has dates"),
        (pd.to_timedelta([1], "s"), "has times"),
        ([28, 28 + 1e-13], r"has 28 more than once \(to 12 digits\)"),
        ([[28], [30, 31]], "rows of different lengths"),
        (ThresholdLinear(), "or a mapping from labels"),
        ([ThresholdLinear()], "or a mapping from labels"),
    ],
)
def test_what_is_no_axis_is_told(make_study, values, message):
    with pytest.raises(UserError, match=message) as error:
        make_study(axes={"muEE": values})
    assert str(error.value).startswith('axis "muEE"')
    assert "\n" not in str(error.value)


NOISE = dict(model=ThresholdLinear(restE=20.0, restI=45.0), fixed={"noise": 0.1})


def test_seeds_are_whole_numbers_that_twelve_digits_hold(make_study):
    axis = [np.uint64(3), 10**12 - 1, 1.0, np.int8(2)]
    study = make_study(**NOISE, axes={"seed": axis}, block_points=4)
    ds = study.template()
    assert ds.seed.values.tolist() == [1, 2, 3, 10**12 - 1]
    assert ds.seed.dtype == int
    points = study.points(study.blocks()[0])["noise key"]
    assert len(set(points.tolist())) == 4
    for seed in (10**12, 2**53 + 1, np.uint64(2**64 - 1), 1e300):
        with pytest.raises(UserError, match="expected at most 999,999,999,999: points are told apart by 12 digits"):
            make_study(**NOISE, axes={"seed": [0, seed]})
    for seed in (-1, 1.5):
        with pytest.raises(UserError, match=f"seed = {float(seed)}; expected a whole number of at least 0"):
            make_study(**NOISE, axes={"seed": [0, seed]})
    for seed in (True, "3", None, np.nan):
        with pytest.raises(UserError, match="expected a finite number"):
            make_study(**{**NOISE, "fixed": {"noise": 0.1, "seed": seed}})


def test_repeats_of_a_noisy_point_need_a_seed(make_study):
    rows = pd.DataFrame({"muEE": [30.0, 28.0, 30.0]})
    make_study(axes={"point": rows})
    with pytest.raises(
        UserError, match=r'"point" is a table that has the values of row 0 more than once, .* a column "'
    ):
        make_study(**NOISE, axes={"point": rows})
    make_study(**NOISE, axes={"point": rows.assign(seed=[1, 1, 2])})


def test_seed_zero_is_what_none_is(make_study):
    from gbaexplore.store.recipe import identity

    given = make_study(**{**NOISE, "fixed": {"noise": 0.1, "seed": 0}})
    assert identity(given.recipe()) == identity(make_study(**NOISE).recipe())
    other = make_study(**{**NOISE, "fixed": {"noise": 0.1, "seed": 1}})
    assert identity(other.recipe()) != identity(given.recipe())


@pytest.mark.parametrize("returned", [None, "3", 1j, np.inf, np.array([1.0, 2.0]), [1.0], True])
def test_what_a_derived_parameter_returns_is_a_number(make_study, returned):
    with pytest.raises(UserError, match=r'derived "muIE" at muEE = 33.7 .*; expected a finite number'):
        make_study(derived={"muIE": lambda muEE: returned if muEE > 30 else 25.0})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (dict(dt=True), "dt = True; expected a finite number in s"),
        (dict(duration=np.inf), "duration = inf; expected a finite number in s"),
        (
            dict(duration=1e7),
            "duration = 1e.07 s is 50,000,000,000 steps of dt = 0.0002 s; expected 1 to 2,147,483,647",
        ),
        (dict(ceiling="500"), "ceiling = '500'; expected a finite number"),
        (dict(precision=["float32"]), r"precision = \['float32'\]"),
        (dict(block_points=1.5), "block_points = 1.5; expected a whole number of at least 1"),
        (dict(fixed={"muIE": None}), r'fixed\["muIE"\] = None'),
        (dict(fixed={"muIE": [1.0]}), r'fixed\["muIE"\] has shape \(1,\)'),
        (dict(name="n" * 201), "study name nnnnnnnnnnnnnnnnnnnn... has 201 bytes; expected at most 200"),
        (dict(name="a\x1b[2K\n"), r"study name 'a\\x1b\[2K\\n'"),
        (dict(name=""), "study name ''"),
        (dict(name=None), "study name None"),
        (
            dict(model=ThresholdLinear),
            r"model is the class ThresholdLinear; expected an object such as ThresholdLinear",
        ),
        (dict(stimulus=3), "stimulus is of type int; expected an object such as Pulse"),
        (dict(measures=[Peak(), Peak()]), 'two measures make "peak_rate"'),
        (dict(axes={"x/y": [1]}), "axis name 'x/y'"),
        (dict(axes={".x": [1]}), "axis name '.x'"),
        (
            dict(axes={"hierarchy": {"a": ThresholdLinear()}}, model=None),
            'axis "hierarchy" uses a reserved name; rename',
        ),
        (dict(axes={"connectomes": {"a": ThresholdLinear()}}, model=None), 'axis "connectomes" uses a reserved name'),
        (dict(axes={"stimuli": {"a": ThresholdLinear()}}, model=None), 'axis "stimuli" uses a reserved name'),
        (dict(axes={"peak_rate": {"a": ThresholdLinear()}}, model=None), 'two measures make "peak_rate"'),
    ],
)
def test_settings_that_make_no_sense_are_told(make_study, parts, message):
    with pytest.raises(UserError, match=message):
        make_study(**parts)


def test_combinations_of_labels_that_read_alike_are_refused(make_study, macaque, pulse):
    axes = {
        "x": {"a": macaque, "a y=b": macaque.without_feedback()},
        "y": {"c": ThresholdLinear(), "b y=c": ThresholdLinear()},
    }
    with pytest.raises(UserError, match='two combinations of labels read "x=a y=b y=c"; leave "=" out of the labels'):
        make_study(axes=axes, model=None, connectome=None)


class Quantity:
    """As pint's and astropy's: it would lose its unit as a float."""

    units = "pA/Hz"

    def __float__(self):
        return 28.0


def taken(value):
    """A number as users have it."""
    return [np.float64(value), np.float16(value), np.array(value), jnp.float32(value), Decimal(str(value)),
            Fraction(value).limit_denominator(10**6), xr.DataArray(value)]  # fmt: skip


REFUSED = [
    None, "28", b"28", True, np.True_, float("nan"), float("inf"), 10**400, 28j, [28.0], np.array([28.0]), {}, {28.0},
    np.ones((1, 1)).view(np.matrix), sparse.csr_matrix([[28.0]]), pd.Series([28.0]), pd.NA, pd.NaT, np.ma.masked,
    np.datetime64("2020-01-01"), np.timedelta64(1, "s"), Quantity(), np.array(28.0, object),
]  # fmt: skip
SMALL = Connectome("small", ("A", "B"), [[0.0, 0.2], [0.3, 0.0]], values={"hierarchy": [0.0, 0.5]})
PULSE = Pulse(area="A", onset=0.01, duration=0.01, amplitude=20.0)


def small(**parts):
    given = dict(name="n", model=ThresholdLinear(), connectome=SMALL, axes={"muEE": [28.0, 30.0]}, stimulus=PULSE,
                 measures=[Peak()], duration=0.04)  # fmt: skip
    return Study(**{**given, **parts})


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doors")
    run(small(), store=folder)
    return folder / "n.zarr"


def single(**given):
    return simulate(ThresholdLinear(), SMALL, PULSE, **{"duration": 0.04, **given})


NUMBERS = {
    "axis": (28.0, lambda v, _: small(axes={"muEE": [v]})),
    "fixed": (28.0, lambda v, _: small(axes={}, fixed={"muEE": v})),
    "onset": (0.01, lambda v, _: small(stimulus=Pulse("A", v, 0.01, 20.0))),
    "every of Trace": (0.001, lambda v, _: small(measures=[Trace(every=v)]).compute()),
    "window of Peak": (0.01, lambda v, _: small(measures=[Peak(window=(v, 0.03))]).compute()),
    "simulate(muEE)": (28.0, lambda v, _: single(muEE=v)),
    "simulate(amplitude)": (20.0, lambda v, _: single(amplitude=v)),
    "simulate(dt)": (2e-4, lambda v, _: single(dt=v)),
    "simulate(duration)": (0.04, lambda v, _: single(duration=v)),
    "simulate(seed)": (1, lambda v, _: single(noise=0.1, seed=v)),
    "simulate(every)": (0.001, lambda v, _: single(every=v)),
    "simulate(window)": (0.03, lambda v, _: single(window=(0.01, v))),
    "simulate(at)": (28.0, lambda v, _: single(noise=0.1, at={"muEE": v})),
    "replay(muEE)": (28.0, lambda v, stored: replay(stored, muEE=v)),
    "replay(every)": (0.001, lambda v, stored: replay(stored, muEE=28.0, every=v)),
    "replay(window)": (0.01, lambda v, stored: replay(stored, muEE=28.0, window=(v, 0.03))),
}


@pytest.mark.parametrize("door", NUMBERS)
def test_a_number_is_the_same_at_every_door(stored, door):
    right, enter = NUMBERS[door]
    for value in taken(right):
        enter(value, stored)
    for value in REFUSED:
        if door == "simulate(at)" and isinstance(value, str):
            continue  # a label
        if "every" in door and value is None:
            continue  # each step
        with pytest.raises(UserError) as error:
            enter(value, stored)
        assert str(error.value).isprintable(), value


WINDOWS = {
    "simulate": lambda w, _: single(window=w),
    "replay": lambda w, stored: replay(stored, muEE=28.0, window=w),
    "CalibratedAmplitude": lambda w, _: small(measures=[CalibratedAmplitude("A", 5.0, window=w)]).recipe(),
    "Sensitivity": lambda w, _: small(measures=[Sensitivity(Peak(window=w), ("muIE",))]).recipe(),
    "AcrossSeeds": lambda w, _: small(fixed={"noise": 0.1}, measures=[AcrossSeeds(Mean(window=w), 2)]).recipe(),
    **{
        kind.__name__: lambda w, _, kind=kind: small(measures=[kind(window=w)]).compute()
        for kind in (Peak, Mean, Final, Trace, Variance, Quantile)
    },
}


@pytest.mark.parametrize("door", WINDOWS)
def test_a_window_is_the_same_at_every_door(stored, door):
    WINDOWS[door]([0.01, 0.03], stored)
    pair = np.array([0.01, 0.03])
    for value in (pair, pair.view(np.matrix), pd.Series(pair), xr.DataArray(pair), sparse.csr_matrix(pair), "ab", 3,
                  {0.01, 0.03}, {0.01: 1, 0.03: 2}, (0.01,), (1, 2, 3), (0.03, 0.01), (None, 0.03), True,
                  (float("nan"), 0.03), ((0.01,), (0.03,)), slice(0.01, 0.03), (0.0, 1e300)):  # fmt: skip
        with pytest.raises(UserError, match="window") as error:
            WINDOWS[door](value, stored)
        assert str(error.value).isprintable(), value


def test_one_seed_of_a_point(macaque, pulse):
    with pytest.raises(UserError, match="seed = 2, and at has the seed 3; expected one of them"):
        single(noise=0.1, seed=2, at={"seed": 3})
    same = [single(noise=0.1, **given) for given in (dict(seed=3), dict(at={"seed": 3}), dict(seed=3, at={"seed": 3}))]
    assert same[0].equals(same[1])
    assert same[0].equals(same[2])
    with pytest.raises(UserError, match=r"at = \[1\]; expected a point of a study"):
        single(noise=0.1, at=[1])


@pytest.mark.parametrize("given", [[[0.5]], [], None, "ab", [True], [float("nan")], 1j])
def test_quantiles_are_numbers(given):
    with pytest.raises(UserError, match=r"Quantile\(q="):
        Quantile(q=given)
