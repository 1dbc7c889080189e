"""Derived fields against small cases that are worked out by hand."""

import math

import numpy as np
import pytest
import xarray as xr
from conftest import STRONG

from gbaexplore import Peak, SpectralAbscissa, ThresholdLinear, UserError
from gbaexplore.analysis import (
    divergence_boundary,
    henrici_departure,
    linear_boundary,
    non_normality,
    numerical_abscissa,
    propagation_ratio,
    transient_gain,
)

K = 10.0
SHEAR = np.array([[-1.0, K], [0.0, -1.0]])


def test_henrici_departure_by_hand():
    # ||A||_F^2 = 1 + 1 + K^2, and both eigenvalues are -1.
    assert henrici_departure(SHEAR) == pytest.approx(K, rel=1e-14)
    # A = [[1, 2], [3, 4]]: ||A||_F^2 = 30; eigenvalues (5 +- sqrt 33)/2, their squares add up to 29.
    assert henrici_departure([[1, 2], [3, 4]]) == pytest.approx(1.0, rel=1e-12)
    assert henrici_departure([[0, 1], [-1, 0]]) == pytest.approx(0.0, abs=1e-14)  # a rotation is normal


def test_numerical_abscissa_by_hand():
    # (A + A^T)/2 = [[-1, K/2], [K/2, -1]].
    assert numerical_abscissa(SHEAR) == pytest.approx(K / 2 - 1, rel=1e-14)
    assert numerical_abscissa(np.diag([-3.0, -2.0])) == pytest.approx(-2.0)


def test_transient_gain_by_hand():
    # exp(At) = e^-t [[1, Kt], [0, 1]], whose norm is exp(-t + asinh(Kt/2)): largest at t = sqrt(1 - 4/K^2).
    gain, time = transient_gain(SHEAR)
    when = math.sqrt(1 - 4 / K**2)
    assert gain == pytest.approx(math.exp(-when + math.acosh(K / 2)), rel=1e-12)
    assert time == pytest.approx(when, rel=1e-6)


def test_transient_gain_where_nothing_grows_or_all_does():
    assert transient_gain(np.diag([-3.0, -2.0])) == (1.0, 0.0)
    assert transient_gain(np.diag([1.0, -2.0])) == (math.inf, math.inf)
    assert transient_gain([[0.0, 1.0], [-1.0, 0.0]]) == (math.inf, math.inf)


def test_transient_gain_of_two_time_scales():
    # A fast shear makes a hump at 1e-3 of the slow decay time that linear sampling alone would miss.
    fast = np.zeros((3, 3))
    fast[:2, :2], fast[2, 2] = 1e4 * SHEAR, -1.0
    assert transient_gain(fast)[0] == pytest.approx(transient_gain(SHEAR)[0], rel=1e-10)


@pytest.mark.parametrize("function", [henrici_departure, numerical_abscissa, transient_gain])
def test_bad_matrices(function):
    with pytest.raises(UserError, match=r"shape \(2, 3\); expected a square one"):
        function(np.zeros((2, 3)))


def test_non_normality_is_labelled(macaque):
    ds = non_normality(ThresholdLinear(), macaque, muEE=[33.7, 51.5], omegaEI=[19.7, 25.2])
    strong = ds.sel(STRONG)
    assert float(strong.spectral_abscissa) == pytest.approx(-0.9232, abs=5e-5)
    assert float(ds.spectral_abscissa.sel(muEE=33.7, omegaEI=19.7)) == pytest.approx(-1.3152, abs=5e-5)
    # Stronger balanced amplification: less normal, and larger transients.
    weak = ds.sel(muEE=33.7, omegaEI=19.7)
    assert strong.henrici_departure > weak.henrici_departure > 0
    assert strong.transient_gain > weak.transient_gain > 1
    assert np.isinf(ds.transient_gain.sel(muEE=51.5, omegaEI=19.7))
    assert ds.transient_gain_time.attrs["units"] == "s"
    assert ds.muEE.attrs["units"] == "pA/Hz"
    for name in ds.data_vars:
        assert ds[name].attrs["long_name"]
    with pytest.raises(UserError, match='no parameter "muee"'):
        non_normality(ThresholdLinear(), macaque, muee=30.0)


@pytest.fixture
def circle():
    """A field that is 0 on a circle of radius 1 for "on", and nowhere for "off"."""
    axis = np.linspace(-2, 2, 81)
    field = np.hypot(*np.meshgrid(axis, axis, indexing="ij")) - 1
    ds = xr.Dataset(
        {"spectral_abscissa": (("muEE", "omegaEI", "feedback"), np.stack([field, field + 5], axis=-1))},
        coords={"muEE": axis, "omegaEI": axis, "feedback": ["on", "off"]},
    )
    for name in ("muEE", "omegaEI"):
        ds[name].attrs["units"] = "pA/Hz"
    ds["status"] = 1 + (ds.spectral_abscissa > 0.25).astype("uint8")
    return ds


def test_linear_boundary_of_a_circle(circle):
    curve = linear_boundary(circle)
    assert curve.name == "omegaEI"
    assert curve.dims == ("vertex",)
    np.testing.assert_allclose(np.hypot(curve.muEE, curve), 1, atol=1e-3)
    assert set(curve.feedback.values) == {"on"}
    assert set(curve.curve.values) == {0}
    assert curve.attrs["units"] == curve.muEE.attrs["units"] == "pA/Hz"
    np.testing.assert_allclose([curve[0], curve.muEE[0]], [curve[-1], curve.muEE[-1]])  # closed


def test_divergence_boundary_of_a_circle(circle):
    curve = divergence_boundary(circle)
    np.testing.assert_allclose(np.hypot(curve.muEE, curve), 1.25, atol=0.05)
    assert divergence_boundary(circle.sel(feedback="off")).size == 0


def test_pending_points_are_gaps(circle):
    circle["status"] = circle.status.where(circle.muEE < 0.5, 0)
    for curve in (linear_boundary(circle), divergence_boundary(circle)):
        assert curve.muEE.max() <= 0.5
        assert curve.muEE.min() < -0.9


def test_bad_boundaries(circle):
    with pytest.raises(UserError, match=r"needs SpectralAbscissa\(\)"):
        linear_boundary(circle.drop_vars("spectral_abscissa"))
    for axis in ("feedback", "muIE"):
        with pytest.raises(UserError, match="expected a numeric axis of at least two values: muEE, omegaEI"):
            divergence_boundary(circle, y=axis)


def test_the_two_boundaries_of_the_map_differ(make_study, run_all):
    study = make_study(
        axes={"muEE": np.linspace(24, 40, 17), "omegaEI": [18.7, 19.7, 20.7]},
        measures=[Peak(window=(1.75, 5.0)), SpectralAbscissa()],
    )
    ds = study.template()
    for name, values in run_all(study).items():
        ds[name] = ds[name].copy(data=values)
    linear, diverged = linear_boundary(ds), divergence_boundary(ds)

    def crossings(curve, omegaEI=19.7):
        return np.sort(curve.muEE.values[np.isclose(curve, omegaEI)])

    # The linearised network is unstable at muEE = 28 and at 36, the rectified one at 36 only.
    below, above = crossings(linear)
    assert 28 < below < 33.7
    assert 33.7 < above < 36
    assert crossings(diverged) == pytest.approx([34.5], abs=1.01)
    assert float(propagation_ratio(ds, target="V1", source="24c").sel(muEE=34, omegaEI=19.7)) > 1000
