"""The door for numbers: what is one, to the bit, and what is refused rather than guessed."""

import datetime
import warnings
from decimal import Decimal
from fractions import Fraction

import brainpy.math as bm
import brainunit
import dask.array as da
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from gbaexplore import UserError
from gbaexplore.basics.names import canonical
from gbaexplore.basics.numbers import array, coordinates, number, whole_number


class Quantity:
    """A number with a unit, as pint and astropy have them: NumPy would drop the unit."""

    units = "Hz"

    def __array__(self, dtype=None, copy=None):
        return np.array(20.0)

    def __float__(self):
        return 20.0


# Each is no number: missing, a label, with a unit, or of another kind.
WRONG = [
    None, True, np.True_, np.array(True), "20", "nan", b"20", np.str_("20"), 1j, np.complex128(2), np.nan, np.inf,
    -np.inf, Decimal("NaN"), Decimal("1e400"), pd.NA, pd.NaT, np.ma.masked, np.datetime64("2020"),
    np.timedelta64(1, "s"), datetime.timedelta(1), Quantity(),
    20 * brainunit.Hz, {}, {20}, object(), np.array(None), print, [20.0][:0],
]  # fmt: skip


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))  # an object's repr is not the same in two processes
def test_what_is_no_number(value):
    with pytest.raises(UserError, match=r"^amplitude .*; expected a finite number in Hz"):
        number(value, "amplitude", "Hz")
    with pytest.raises(UserError, match=r"^seed .*; expected a whole number of at least 0"):
        whole_number(value, "seed")
    if not isinstance(value, list):
        for values in ([0.5, value], [[0.5], [value]], (value,)):
            with pytest.raises(UserError, match=r"^weights\S* .*; expected finite numbers"):
                array(values, "weights")
            with pytest.raises(UserError, match=r"^weights\S* (has|is|=) "):
                coordinates(values, "weights")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0), (np.int8(3), 3.0), (np.uint64(3), 3.0), (0.1, 0.1), (np.float64(0.1), 0.1), (np.float32(0.1), 0.1),
        (np.float16(0.1), 0.1), (np.longdouble(3), 3.0), (np.array(0.1), 0.1), (np.array(0.1, ">f4"), 0.1),
        (Decimal("0.1"), 0.1), (Fraction(1, 10), 0.1), (jnp.float32(0.1), 0.1), (jnp.bfloat16(0.5), 0.5),
        (xr.DataArray(0.1, attrs={"units": "Hz"}), 0.1), (da.ones(()), 1.0), (bm.asarray(0.5), 0.5),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_a_number(value, expected):
    found = number(value, "amplitude")
    assert (type(found), found) == (float, expected)


def test_one_number_is_no_list():
    for value in ([0.1], np.array([0.1]), pd.Series([0.1])):
        with pytest.raises(UserError, match=r"amplitude has shape \(1,\); expected a finite number"):
            number(value, "amplitude")


def test_whole_numbers():
    assert [whole_number(n, "seed") for n in (3, 3.0, np.int8(3), np.float32(3))] == [3] * 4
    assert [whole_number(n, "seed") for n in (2**70, np.uint64(2**63 + 1))] == [2**70, 2**63 + 1]
    assert type(whole_number(np.int8(3), "seed")) is int
    for wrong in (3.5, 1, np.float64(2.9)):
        with pytest.raises(UserError, match=r"areas = .*; expected a whole number of at least 2"):
            whole_number(wrong, "areas", least=2)


VALUES = np.array([[0.1, 0.2], [0.0, 0.3]])


@pytest.mark.parametrize(
    "given",
    [
        VALUES, np.matrix(VALUES), VALUES.tolist(), [*VALUES], tuple(map(tuple, VALUES)), VALUES.astype(object),
        VALUES.astype(">f8"), np.asfortranarray(VALUES), VALUES[::-1, ::-1].copy()[::-1, ::-1], np.ma.array(VALUES),
        sp.csr_matrix(VALUES), sp.coo_array(VALUES), sp.csr_matrix(VALUES).todense(), da.from_array(VALUES, chunks=1),
        pd.DataFrame(VALUES), pd.DataFrame(VALUES).astype("Float64"), pd.DataFrame(VALUES).astype("Sparse[float]"),
        xr.DataArray(VALUES), [pd.Series(row) for row in VALUES],
    ],
    ids=lambda given: type(given).__name__,
)  # fmt: skip
def test_every_kind_of_array_is_taken_to_the_bit(given):
    found = array(given, "weights")
    assert type(found) is np.ndarray
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, VALUES)
    if isinstance(given, np.ndarray):
        assert not np.shares_memory(found, given)


def test_single_precision_stays_in_weights_and_is_decimal_in_coordinates():
    single = jnp.linspace(20, 21, 11)
    np.testing.assert_array_equal(array(single, "weights"), np.asarray(single).astype(float))
    np.testing.assert_array_equal(coordinates(single, "axis"), canonical(np.linspace(20, 21, 11)))
    np.testing.assert_array_equal(coordinates([np.float32(20.1), 20.2], "axis"), [20.1, 20.2])
    np.testing.assert_array_equal(
        coordinates(jnp.arange(-0.3, 0.35, 0.1), "axis"), coordinates(np.arange(-3, 4) / 10, "")
    )
    fine = np.float32(1000) + np.float32(2**-11) * np.arange(5, dtype=np.float32)
    assert len(set(coordinates(fine, "axis"))) == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), r"is nan at \(1, 0\)"),
        (pd.Series([True, False]), "has True and False"),
        (pd.Series(["1", "2"], dtype=object), r"\[0\] = '1'"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "has masked values"),
        (np.array([1, 2j]), "has complex numbers"),
        (np.array(["2020"], "M8[D]"), "has dates"),
        (np.zeros(2, [("a", float)]), "has records"),
        ([[1.0, 2.0], [3.0]], "has rows of different lengths"),
        ([[1.0, 2.0], 3.0], "has rows of different lengths"),
        (np.array([[1, "2"]], object), r"\[0\]\[1\] = '2'"),
        ([[1.0, 2.0], [3.0, None]], r"\[1\]\[1\] = None"),
        ((x for x in [1.0]), "= <generator"),
        (jnp.arange(3) * brainunit.mV, "= .* is a quantity with a unit"),
        (np.array([0.0, np.nan]), r"is nan at \(1,\)"),
        ([10**400], r"is inf at \(0,\)"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_array_of_numbers(given, said):
    with pytest.raises(UserError, match=rf"^weights ?({said}).*expected finite numbers"):
        array(given, "weights")


# Coordinates: labels that a user finds again.


def steps(start, step, count):
    """Evenly spaced numbers by adding the step: the errors grow."""
    return np.cumsum([start, *[step] * (count - 1)])


@pytest.mark.parametrize(
    "axis",
    [
        np.arange(-0.3, 0.35, 0.1), np.arange(0.3, -0.05, -0.1), np.linspace(-0.3, 0.3, 13), np.arange(-3, 3.05, 0.1),
        np.arange(-0.3, 0.35, 0.1) * 1.9, steps(-0.3, 0.1, 7), np.r_[np.arange(-0.3, 0.05, 0.1), 1, 7],
        np.arange(-0.3, 0.35, 0.1)[::-1], np.float32(np.arange(-0.3, 0.35, 0.1)), steps(-1, 0.1, 21),
    ],
)  # fmt: skip
def test_an_evenly_spaced_axis_through_zero_has_zero(axis):
    assert (canonical(axis) == 0).sum() == 1


@pytest.mark.parametrize(
    "axis",
    [
        [1e-15, 1e-10, 1e-5, 1.0], np.logspace(-60, 0, 61, base=2), [1e-16, 0.1, 1.0], [-2e-17, 1e29, 0.5], [5e-17],
        [5e-17, 1.0], np.geomspace(1e-20, 1e20, 41), [3e-14, 1e-13, 1e-3],
    ],
)  # fmt: skip
def test_small_numbers_are_not_made_zero(axis):
    with warnings.catch_warnings(action="error"):
        assert np.all(canonical(np.array(axis)) != 0)


def test_coordinates_are_a_list():
    for wrong in (3.0, [], np.zeros((2, 2))):
        with pytest.raises(UserError, match=r"axis has shape .*; expected a list of at least one number"):
            coordinates(wrong, "axis")
